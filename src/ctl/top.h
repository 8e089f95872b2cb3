/* `preforkctl top`: the pools and their workers on the whole screen, refreshed regularly. Called by ctl/preforkctl. */
#pragma once

struct ctl_top_setup {
        const char *socket_path;
        const char *pool;     /* NULL: all */
        unsigned interval_ms; /* between two requests for the status */
};

/* Show the status until the user quits; returns the exit code. Without a terminal, print it once. */
int ctl_top_run(const struct ctl_top_setup *setup);
