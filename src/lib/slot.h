/* A worker's side of the scoreboard: its reports, and the wake-ups of the master that they cause.
 *
 * Called by worker/ now, and by other users of libprefork later. Every function writes only the worker lines of its
 * slot and the shared words, allocates nothing, and is async-signal-safe. Only slot_wait_recycle() blocks; the writing
 * end of the pool's pipe is non-blocking. The caller must survive SIGPIPE, which a wake-up causes once the master has
 * died: block or catch it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/pool_memory.h"

struct slot {
        struct prefork_scoreboard *board;
        struct prefork_slot *words; /* this worker's, inside board */
        struct rate_table *rates;   /* behind the board; NULL: it is of a preforkd that has none */
        uint32_t index;
        int wake_fd; /* the writing end of the pool's pipe to the master; not owned */
};

/* Take slot `index` of a scoreboard that is mapped with what is behind it. 0; -EPROTO: another version of the layout;
 * -ERANGE: there is no such slot. */
int slot_attach(struct slot *slot, struct prefork_scoreboard *board, uint32_t index, int wake_fd);

/* The worker can serve: it joins the idle set for the first time. slot_ready() also wakes the master (READY). Both, and
 * slot_unwatched(), do not return if the master has given the worker up (start_timeout). */
void slot_join(struct slot *slot, uint64_t now_ns);
void slot_ready(struct slot *slot, uint64_t now_ns);

/* The worker is about to execute a program that reports nothing: ready, and never in the idle set. */
void slot_unwatched(struct slot *slot, uint64_t now_ns);

/* Report activities. slot_idle() joins the idle set after a request; slot_busy() leaves it and begins a request. Both
 * wake the master if they cross a threshold that it has published. */
void slot_idle(struct slot *slot, uint64_t now_ns);
void slot_busy(struct slot *slot, uint64_t now_ns);

/* A signal that stands for a fault of the program, which a client may have caused on purpose. */
bool slot_is_crash(int signal_number);

/* The current request has ended: count it, its duration, and its handler process (wait status and CPU time). The worker
 * does not join the idle set. */
void slot_done(struct slot *slot, uint64_t now_ns, int handler_status, uint64_t handler_cpu_us);

/* Count the current request as lost: its connection is closed unserved. slot_done() follows. */
void slot_lost(struct slot *slot);

/* Count the current request as ended by idle_timeout. */
void slot_was_idle(struct slot *slot);

/* Leave the idle set for good. */
void slot_ending(struct slot *slot);

/* Ask to be recycled, and wake the master. Does nothing if this worker has asked and has no answer yet. */
void slot_ask_recycle(struct slot *slot, enum prefork_recycle reason);

/* Wait for the answer, for at most timeout_ms (0: do not wait), and return it. LATER closes the question. NONE: the
 * time is over or a signal came; the question stays open, and a later call gets the answer. */
enum prefork_answer slot_wait_recycle(struct slot *slot, unsigned timeout_ms);

/* Enter one more connection of a client address (`source`: its hash; 0: not limited). True: the connection may be
 * served, and slot_leave_source() ends it. False: max_connections_per_source earlier connections of this address are
 * being served; this one is counted as refused. Call this before slot_busy(), because a connection that is closed
 * unserved is not a request, and the worker stays idle. */
bool slot_enter_source(struct slot *slot, uint64_t source);
void slot_leave_source(struct slot *slot);

/* Count a connection that access rules refuse, its PROXY header, the rate of its source, its wait, or its lack of room
 * for the banner. Before slot_busy(), too. */
void slot_refused_access(struct slot *slot);
void slot_refused_proxy(struct slot *slot);
void slot_refused_rate(struct slot *slot);
void slot_refused_wait(struct slot *slot);
void slot_refused_banner(struct slot *slot);

/* An idle worker has a connection that is no request yet: leave the idle set, without a request. slot_busy() or
 * slot_idle() is next. */
void slot_hold(struct slot *slot, uint64_t now_ns);

/* The same, but the worker is or becomes a member of the idle set: the pool's rate does not let the connection pass
 * yet. It is counted. slot_busy() is next. */
void slot_throttle(struct slot *slot, uint64_t now_ns);

/* Count how long a connection had waited when it was accepted. Before slot_busy(), too. */
void slot_waited(struct slot *slot, uint64_t wait_ns);

/* Set a wake flag, and wake the master if the flag was clear. */
void slot_wake(struct slot *slot, enum prefork_wake reason);

/* The bucket of a duration in slot.durations or slot.waits. */
unsigned slot_duration_bucket(uint64_t duration_ns);
