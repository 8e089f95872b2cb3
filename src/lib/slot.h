/* A worker's side of the scoreboard: its reports, and the wake-ups that follow from them.
 *
 * Used by the built-in worker now, by libprefork's other users later. Every function writes only the slot's worker
 * lines and the shared words; none blocks (the pool's eventfd is non-blocking) but slot_wait_recycle(), none allocates,
 * all are async-signal-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "prefork/scoreboard.h"

struct slot {
        struct scoreboard *board;
        struct scoreboard_slot *words; /* this worker's, inside board */
        uint32_t index;
        int wake_fd; /* the pool's eventfd; not owned */
};

/* Take slot `index` of a mapped scoreboard. 0; -EPROTO if the layout is not ours; -ERANGE if there is no such slot. */
int slot_attach(struct slot *slot, struct scoreboard *board, uint32_t index, int wake_fd);

/* The worker can serve: joins the idle set and wakes the master (READY). */
void slot_ready(struct slot *slot, uint64_t now_ns);

/* Report activities. slot_idle() joins the idle set, slot_busy() leaves it and begins a request; both wake the master
 * where a published threshold is crossed. slot_idle() is for a worker that was busy. */
void slot_idle(struct slot *slot, uint64_t now_ns);
void slot_busy(struct slot *slot, uint64_t now_ns);

/* The current request has ended: counts it, its duration, and its handler process (wait status and CPU time). The
 * worker stays out of the idle set. */
void slot_done(struct slot *slot, uint64_t now_ns, int handler_status, uint64_t handler_cpu_us);

/* Leave the idle set for good. */
void slot_ending(struct slot *slot);

/* Ask to be recycled: wakes the master, unless this worker has asked already and got no answer yet. */
void slot_ask_recycle(struct slot *slot, enum scoreboard_recycle reason);

/* Wait for the answer, at most timeout_ms (0: only look), and return it. LATER ends the question. NONE, when the time is up
 * or a signal came: it stays open, and a later call finds the answer. */
enum scoreboard_answer slot_wait_recycle(struct slot *slot, unsigned timeout_ms);

/* Draw a place among the connections of one client address (`source`, a hash; 0: one that is not limited). True if the
 * connection may be served; false, and counted as refused, if max_connections_per_source others that came before are
 * still being served. The place is given back by slot_leave_source(). To be asked before slot_busy(): a connection that
 * is closed unserved is no request, and the worker was idle all the time. */
bool slot_enter_source(struct slot *slot, uint64_t source);
void slot_leave_source(struct slot *slot);

/* Set a wake flag and, if it was clear, wake the master. */
void slot_wake(struct slot *slot, enum scoreboard_wake reason);

/* The histogram bucket of a duration. */
unsigned slot_duration_bucket(uint64_t duration_ns);
