/* Creates everything the daemon consists of, in order of dependency, and frees it in reverse. */
#pragma once

struct daemon;
struct daemon_setup;

/* Create all of it. 0 or -errno. Call startup_close() in either case. */
int startup_open(struct daemon *daemon, struct daemon_setup *setup);

void startup_close(struct daemon *daemon);
