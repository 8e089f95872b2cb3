/* The daemon's side of an upgrade: what it hands in, what it does when one has come to nothing, and what the program
 * that was executed does at its start. */
#pragma once

struct daemon;

/* Make daemon->upgrade; everything that is handed over must be there. 0 or -ENOMEM. */
int upgrade_host_open(struct daemon *daemon);

/* Upgrade, for a reason that goes into the log; `path` NULL: to the path preforkd was started by. Control clients that
 * wait for it are answered when it is done or has come to nothing, by whichever program runs then. */
void upgrade_host_begin(struct daemon *daemon, const char *path, const char *by);

/* Become what was handed over (daemon->setup->take_over), and go on. Does not return from a preflight, nor if it fails:
 * then the process ends, and nothing was touched. */
void upgrade_host_take_over(struct daemon *daemon);
