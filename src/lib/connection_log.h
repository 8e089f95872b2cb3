/* A worker's side of connection_log: what is known of a connection, put into a record, and the record into the pool's
 * ring, where the master finds it.
 *
 * Called by all who accept in code of ours. What must stay true: a record never waits; one that does not fit is dropped
 * and counted. Async-signal-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/connection_record.h"
#include "lib/client.h"

struct connection_log {
        enum connection_log_mode mode;
        struct connection_ring *ring;
        int32_t worker;                /* its pid, also in its copies */
        struct connection_place local; /* of all connections; the family is 0: it has to be asked */
        /* How long the present connection had waited when it was accepted, if that is known; written by lib/request. */
        bool has_wait;
        uint64_t wait_us;
};

struct prefork_scoreboard;

/* Begin to log, or not to: `board` is mapped with all that is behind it, `worker` the pid of this worker. */
void connection_log_open(struct connection_log *log, enum connection_log_mode mode, struct prefork_scoreboard *board,
                         int32_t worker);

/* The worker accepts on these listeners alone. If there is one, and it is bound to an address and not to all of them,
 * no connection has to be asked where it was accepted. */
void connection_log_note_listeners(struct connection_log *log, const int *listeners, size_t count);

/* Begin the record of a connection that was accepted; -1: a datagram. */
void connection_log_begin(const struct connection_log *log, const struct client *client, int connection,
                          struct connection_record *ret);

/* What the kernel has counted on it. Call this as late as possible before it is closed. -1: nothing is known. */
void connection_log_measure(int connection, struct connection_record *record);

/* How a handler has ended: its wait status, and whether the master has ordered the end. */
enum connection_end connection_log_end_of(int status, bool is_ordered);

/* Put it into the ring; `wake_fd` is the pipe by which the master is woken if it has to be. */
void connection_log_write(const struct connection_log *log, int wake_fd, struct connection_record *record);

/* All of this for a connection that is refused. */
void connection_log_refused(const struct connection_log *log, int wake_fd, const struct client *client, int connection,
                            enum connection_end end);
