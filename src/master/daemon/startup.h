/* Everything the daemon is made of, made in the order in which one needs the other, and ended in reverse. */
#pragma once

struct daemon;
struct daemon_setup;

/* Make all of it. 0 or -errno, then startup_close() is called as well. */
int startup_open(struct daemon *daemon, struct daemon_setup *setup);

void startup_close(struct daemon *daemon);
