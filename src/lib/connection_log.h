/* A worker's side of connection_log: what is known of a connection, put into a record, and written into the pool's pipe
 * to the master.
 *
 * Called by all who accept in code of ours. What must stay true: a record never waits; one that does not fit is dropped
 * and counted, and the next one says so. Async-signal-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/connection_record.h"
#include "lib/client.h"

struct connection_log {
        enum connection_log_mode mode;
        uint32_t dropped; /* records, since the last that was written */
        /* How long the present connection had waited when it was accepted, if that is known; written by lib/request. */
        bool has_wait;
        uint64_t wait_us;
};

/* Begin the record of a connection that was accepted; -1: a datagram. */
void connection_log_begin(const struct connection_log *log, const struct client *client, int connection,
                          struct connection_record *ret);

/* What the kernel has counted on it. Call this as late as possible before it is closed. -1: nothing is known. */
void connection_log_measure(int connection, struct connection_record *record);

/* How a handler has ended: its wait status, and whether the master has ordered the end. */
enum connection_end connection_log_end_of(int status, bool is_ordered);

/* Write it into the pipe. */
void connection_log_write(struct connection_log *log, int pipe_fd, struct connection_record *record);

/* All of this for a connection that is refused. */
void connection_log_refused(struct connection_log *log, int pipe_fd, const struct client *client, int connection,
                            enum connection_end end);
