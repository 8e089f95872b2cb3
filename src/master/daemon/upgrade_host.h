/* The daemon's side of an upgrade: what the upgrade needs from it, the report of a failed upgrade, and the start of the
 * program that was executed. */
#pragma once

struct daemon;

/* Create daemon->upgrade. Everything that is handed over must exist. 0 or -ENOMEM. */
int upgrade_host_open(struct daemon *daemon);

/* Begin an upgrade to the program at `path`, or at the path preforkd was started by if `path` is NULL. `by` says for
 * the log who ordered it. Control clients that wait for it are answered when it has succeeded or failed, by the program
 * that runs then. */
void upgrade_host_begin(struct daemon *daemon, const char *path, const char *by);

/* Read the state that was handed over (daemon->setup->take_over) and continue. Does not return in a preflight or on
 * failure: the process then ends without touching anything. */
void upgrade_host_take_over(struct daemon *daemon);

/* This program was executed to take over and cannot: execute it again, or the previous one (way_back.h). Returns if
 * that fails too. */
void upgrade_host_go_back(struct daemon *daemon);

/* The upgrade that has kept templates from making workers will not be: they go on. */
void upgrade_host_release(struct daemon *daemon);
