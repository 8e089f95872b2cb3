/* `preforkctl top`: the pools and their workers, live on the whole screen. */
#pragma once

struct ctl_top_setup {
        const char *socket_path;
        const char *pool;     /* NULL: all */
        unsigned interval_ms; /* between two looks */
};

/* Show until the user ends it; returns the exit code. Without a terminal it prints what it would show once. */
int ctl_top_run(const struct ctl_top_setup *setup);
