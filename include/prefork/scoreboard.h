/* The scoreboard: the shared memory in which a pool's workers report. Public layout, version 2.
 *
 * The layout is a contract with programs that report through libprefork: words keep their place and their meaning, and
 * what is added takes reserved words, which are zero until then. Anything else is another version.
 *
 * One sealed memfd a pool, made by the master, mapped by its workers (and by programs that report through libprefork).
 * A header, then SCOREBOARD_SLOTS slots; pages appear on use. No pointers and no locks: a process may die, or write
 * nonsense, at any instruction.
 *
 * Who writes what:
 *   - a slot's worker lines are written by the worker that holds the slot, its master line by the master;
 *   - the idle set, the low-water mark and the wake flags are shared and changed only by atomic read-modify-writes, all
 *     seq_cst: release/acquire alone loses wake-ups (the flag is exchanged first and the set counted afterwards, on
 *     both sides, so that one of them always sees the other);
 *   - everything else in the header is the master's.
 * Who believes what: to the master every word is gossip. It is shown and counted, never used as an index, a pid or a
 * pointer.
 *
 * Times are CLOCK_MONOTONIC nanoseconds. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SCOREBOARD_MAGIC 0x44524f42464b5250ULL /* "PRKFBORD", little-endian */
#define SCOREBOARD_VERSION 2
#define SCOREBOARD_SLOTS 65536
#define SCOREBOARD_LINE 64           /* bytes; what one writer owns begins on a line of its own */
#define SCOREBOARD_DURATION_BUCKETS 32 /* bucket i counts requests of less than 2^i microseconds; the last the rest */

/* Why a worker wakes the master. Levels, never edges: the master clears the flag by exchange and then recounts. */
enum scoreboard_wake {
        SCOREBOARD_WAKE_READY,   /* a starting worker can serve */
        SCOREBOARD_WAKE_LOW,     /* idle workers fell below low_below */
        SCOREBOARD_WAKE_HIGH,    /* idle workers rose above high_above */
        SCOREBOARD_WAKE_BUSY,    /* a request began while notify_busy was set */
        SCOREBOARD_WAKE_RECYCLE, /* a worker asks to be recycled */
        SCOREBOARD_WAKE_COUNT
};

/* What a worker says it does. A new slot is all zeroes. */
enum scoreboard_activity {
        SCOREBOARD_STARTING,
        SCOREBOARD_IDLE,    /* waits for a connection */
        SCOREBOARD_BUSY,    /* serves one */
        SCOREBOARD_WAITING, /* served its last request and waits for the master's word about its recycling */
        SCOREBOARD_ENDING,
};

/* Why a worker wants to be recycled. */
enum scoreboard_recycle {
        SCOREBOARD_RECYCLE_NONE, SCOREBOARD_RECYCLE_REQUESTS, SCOREBOARD_RECYCLE_MEMORY, SCOREBOARD_RECYCLE_AGE
};

/* The master's answers (slot.answer, a futex word). */
enum scoreboard_answer {
        SCOREBOARD_ANSWER_NONE,
        SCOREBOARD_ANSWER_GO,    /* end: the replacement is ready, or there is no room for one */
        SCOREBOARD_ANSWER_LATER, /* serve on, ask again: enough others are being recycled */
};

/* The master's orders about a request (slot.order); the worker is told by SIGUSR1 to look. */
enum scoreboard_order {
        SCOREBOARD_ORDER_NONE,
        SCOREBOARD_ORDER_TERM, /* send TERM to the handler's group if request order_request is still being served */
        SCOREBOARD_ORDER_KILL, /* … KILL */
        SCOREBOARD_ORDER_DIE,  /* KILL the handler's group and end, whatever is being served */
};

struct scoreboard_slot {
        /* Line 1: the worker's, touched by every request. */
        _Alignas(SCOREBOARD_LINE) _Atomic uint32_t activity; /* enum scoreboard_activity */
        _Atomic uint32_t recycle;                            /* enum scoreboard_recycle */
        _Atomic uint64_t activity_since_ns;
        _Atomic uint64_t requests_begun; /* doubles as the number of the current request */
        _Atomic uint64_t requests_ended;
        _Atomic uint64_t busy_ns;        /* total time of all ended requests */
        _Atomic uint64_t handler_cpu_us; /* CPU time of all ended handler processes */
        _Atomic int32_t handler_status;  /* wait status of the last ended handler process */
        _Atomic uint32_t handler_deaths; /* handler processes that died of a signal */
        _Atomic uint32_t reserved_level; /* for adaptive scaling: how many workers were busy when the request began … */
        _Atomic uint32_t reserved_left;  /* … and when it ended */

        /* Line 2: the worker's, rarely touched. */
        _Alignas(SCOREBOARD_LINE) _Atomic uint64_t source; /* hash of the client's address; 0: none */
        _Atomic uint64_t source_ticket;  /* order of arrival; 0 while it is being drawn */
        _Atomic uint32_t start_stage;    /* where the start of the worker failed; see worker/ */
        _Atomic uint32_t start_errno;
        _Atomic uint32_t refused;        /* connections closed unserved because of max_connections_per_source */
        uint32_t reserved_worker[7];

        /* Line 3: the master's. */
        _Alignas(SCOREBOARD_LINE) _Atomic uint32_t incarnation; /* the slot's reuse counter */
        _Atomic uint32_t answer;        /* enum scoreboard_answer; the worker waits on it with futex(2) */
        _Atomic uint32_t order;         /* enum scoreboard_order */
        _Atomic uint64_t order_request; /* the request (requests_begun) the order is about */
        uint64_t reserved_master[5];

        /* Lines 4 and 5: the worker's: how long requests took. */
        _Alignas(SCOREBOARD_LINE) _Atomic uint32_t durations[SCOREBOARD_DURATION_BUCKETS];

        /* Lines 6 and 7: the worker's: for how long connections waited until they were accepted. */
        _Alignas(SCOREBOARD_LINE) _Atomic uint32_t reserved_waits[SCOREBOARD_DURATION_BUCKETS];

        /* Line 8: for workers that serve several connections at once, a slot a thread. */
        _Alignas(SCOREBOARD_LINE) uint64_t reserved_thread[8];
};

struct scoreboard {
        uint64_t magic;
        uint32_t version;
        uint32_t header_bytes;
        uint32_t slot_bytes;
        uint32_t slot_count;

        /* Published by the master, which recounts after every change. */
        _Alignas(SCOREBOARD_LINE) _Atomic uint32_t low_below; /* 0: no LOW wake-ups */
        _Atomic uint32_t high_above;                          /* UINT32_MAX: no HIGH wake-ups */
        _Atomic uint32_t notify_busy;                         /* 1: BUSY wake-ups */
        _Atomic uint32_t slot_limit;                          /* slots at or above it were never used */
        _Atomic uint32_t max_connections_per_source;          /* 0: no limit */
        _Atomic uint64_t max_requests;                        /* 0: no recycling by requests */
        _Atomic uint64_t max_worker_memory_bytes;             /* 0: no recycling by memory */
        _Atomic uint64_t max_worker_age_ns;                   /* 0: no recycling by age */
        _Atomic uint32_t max_requests_jitter_percent;
        uint32_t reserved_limit;

        _Alignas(SCOREBOARD_LINE) _Atomic uint32_t wake[SCOREBOARD_WAKE_COUNT];

        /* Shared and written by workers. */
        _Alignas(SCOREBOARD_LINE) _Atomic uint32_t low_water; /* lowest idle count since the master last set it */
        _Atomic uint64_t tickets;                             /* drawn for max_connections_per_source */
        _Atomic uint64_t refused;                             /* closed unserved by when_full = refuse */
        uint64_t reserved_shared[5];

        _Alignas(SCOREBOARD_LINE) _Atomic uint64_t idle[SCOREBOARD_SLOTS / 64]; /* one bit a slot */

        struct scoreboard_slot slots[SCOREBOARD_SLOTS];
};

#ifdef __cplusplus
#define SCOREBOARD_ASSERT(condition, text) static_assert(condition, text)
#else
#define SCOREBOARD_ASSERT(condition, text) _Static_assert(condition, text)
#endif
SCOREBOARD_ASSERT(sizeof(struct scoreboard_slot) == 8 * SCOREBOARD_LINE, "slot layout changed: new version");
SCOREBOARD_ASSERT(offsetof(struct scoreboard_slot, source) == 1 * SCOREBOARD_LINE, "slot layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard_slot, incarnation) == 2 * SCOREBOARD_LINE, "slot layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard_slot, durations) == 3 * SCOREBOARD_LINE, "slot layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard_slot, reserved_waits) == 5 * SCOREBOARD_LINE, "slot layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard_slot, reserved_thread) == 7 * SCOREBOARD_LINE, "slot layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard, low_below) == 1 * SCOREBOARD_LINE, "header layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard, wake) == 2 * SCOREBOARD_LINE, "header layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard, low_water) == 3 * SCOREBOARD_LINE, "header layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard, idle) == 4 * SCOREBOARD_LINE, "header layout changed");
SCOREBOARD_ASSERT(offsetof(struct scoreboard, slots) == 4 * SCOREBOARD_LINE + SCOREBOARD_SLOTS / 8, "header layout changed");

#ifdef __cplusplus
}
#endif
