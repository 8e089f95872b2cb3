/* A request's way through the slot: admitted, begun, ended, and what is due between two of them. All who serve go this
 * way: the worker's accept loop, libprefork, and the preload object.
 *
 * What must stay true: each request that begins ends; between two of them the worker joins the idle set, unless it must
 * go. Async-signal-safe; only request_next() waits, for the master's answer about recycling. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "lib/connection_log.h"
#include "lib/recycling.h"
#include "lib/slot.h"

enum request_answer {
        REQUEST_ADMITTED,
        REQUEST_TOO_MANY, /* it has as many connections as max_connections_per_source allows */
        REQUEST_TOO_LATE, /* it has waited longer than queue_timeout */
};

struct request_desk {
        struct slot slot;
        struct recycling recycling;
        unsigned wait_pass; /* so many connections are not asked how long they have waited */
        struct connection_log log;
};

/* The source of a connection of this client (-1: a datagram), by which connections are counted; 0: they are not, or who
 * it is is not known. */
uint64_t request_source(const struct request_desk *desk, const struct address *peer, int connection);

/* Admit a connection of that source and client, and count how long it has waited. If it is not admitted, it was
 * counted as refused, and the caller closes it unserved. */
enum request_answer request_admit(struct request_desk *desk, uint64_t source, const struct address *peer,
                                  int connection);

/* The caller has admitted a connection, and closes it unserved nevertheless. */
void request_revoke(struct request_desk *desk);

/* The request of an admitted connection begins. */
void request_begin(struct request_desk *desk, uint64_t now_ns);

/* The request has ended; status and CPU time of the process that served it, as slot_done(). */
void request_end(struct request_desk *desk, uint64_t now_ns, int status, uint64_t cpu_us);

/* After a request: join the idle set and return true. False: the master lets the worker go, which must end now. */
bool request_next(struct request_desk *desk);

/* The two halves of request_next(), for a worker that has something to do between them. request_may_continue() waits
 * for the master's answer if a question is open; request_idle() joins the idle set. False: as request_next(). */
bool request_may_continue(struct request_desk *desk);
bool request_idle(struct request_desk *desk);
