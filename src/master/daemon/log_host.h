/* The daemon's side of the log: the log process where records go to a file, what is said about it, its part of a
 * hand-over, and the end of the log at the end of the daemon. */
#pragma once

#include <stdint.h>

#include "master/state/state_part.h"

struct daemon;
struct status_log;

/* Fill in what log processes need. The loop and the reaper must exist. */
void log_host_open(struct daemon *daemon);

/* Open the log file anew; control clients that wait for it are answered when that is done. The number of the order; 0:
 * there is no file. */
uint64_t log_host_reopen(struct daemon *daemon);

/* For the status. */
struct status_log log_host_describe(const struct daemon *daemon);

/* Nothing is logged any more: let the log process write what it has, and wait for its end, but not for long, by running
 * the loop, which has been stopped. */
void log_host_end(struct daemon *daemon);

/* The part of a hand-over; the owner is a struct daemon. */
extern const struct state_part log_part;
