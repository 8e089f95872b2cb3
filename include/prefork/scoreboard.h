/* The scoreboard: the shared memory in which a pool's workers report. Public layout, version 2.
 *
 * The layout is a contract with programs that report through libprefork: every word keeps its place and its meaning. A
 * new word takes the place of a reserved one, which is zero until then. Any other change makes a new version.
 *
 * Each pool has one sealed memfd. The master makes it; workers, and programs that report through libprefork, map it. It
 * has a header and PREFORK_SCOREBOARD_SLOTS slots; the kernel allocates pages on first use. There are no pointers and
 * no locks: a process may die, or write garbage, at any instruction.
 *
 * Writers:
 *   - the worker that holds a slot writes its worker lines, and the master writes its master line; but any worker
 *     writes what a slot has of the level of its number, and the master ends the start of a worker that is late;
 *   - the idle set, the low-water mark and the wake flags are shared. They change only by atomic read-modify-writes,
 *     all seq_cst. Release/acquire would lose wake-ups: both sides exchange the flag first and count the set after
 *     that, so that one of them always sees the change of the other;
 *   - the master writes everything else in the header, and workers add themselves to `reporting`.
 *
 * Trust: the master shows and counts what workers have written, but never uses it as an index, a pid or a pointer.
 *
 * Times are CLOCK_MONOTONIC nanoseconds. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PREFORK_SCOREBOARD_MAGIC 0x44524f42464b5250ULL /* "PRKFBORD", little-endian */
#define PREFORK_SCOREBOARD_VERSION 2
#define PREFORK_SCOREBOARD_SLOTS 65536
#define PREFORK_SCOREBOARD_LINE 64UL /* bytes; the words of each writer begin on a line of their own */
/* Bucket i counts requests under 2^i microseconds; the last counts all others. */
#define PREFORK_DURATION_BUCKETS 32

/* Why a worker wakes the master. A flag says that a level may have been crossed: the master clears it by exchange and
 * then recounts. */
enum prefork_wake {
        PREFORK_WAKE_READY,   /* a starting worker can serve */
        PREFORK_WAKE_LOW,     /* idle workers fell below low_below */
        PREFORK_WAKE_HIGH,    /* idle workers rose above high_above */
        PREFORK_WAKE_BUSY,    /* a request began while notify_busy was set */
        PREFORK_WAKE_RECYCLE, /* a worker asks to be recycled */
        PREFORK_WAKE_COUNT
};

/* What a worker reports that it does. A new slot is all zeroes. The first report is an exchange for PREFORK_STARTING:
 * when the worker is too late with it, the master has written PREFORK_ENDING there, and kills it. */
enum prefork_activity {
        PREFORK_STARTING,
        PREFORK_IDLE,    /* waits for a connection */
        PREFORK_BUSY,    /* serves a request */
        PREFORK_WAITING, /* has served its last request and waits for the master's answer about its recycling */
        PREFORK_ENDING,
        PREFORK_UNWATCHED, /* executes a program that reports nothing */
        PREFORK_HOLDING,   /* has accepted a connection that is no request yet: its PROXY header is waited for */
        PREFORK_THROTTLED, /* the same, and stays in the idle set: rate_limit does not let it pass yet */
};

/* What workers note of levels: of level k when k of those that report are busy (board.levels). */
enum prefork_levels {
        PREFORK_LEVELS_UNKNOWN, /* nothing: workers report in several boards */
        PREFORK_LEVELS_KNOWN,   /* slot.level, slot.level_work_us */
        PREFORK_LEVELS_STAMPED, /* the same, and slot.level_busy_ns */
};

/* Why a worker asks to be recycled. */
enum prefork_recycle { PREFORK_RECYCLE_NONE, PREFORK_RECYCLE_REQUESTS, PREFORK_RECYCLE_MEMORY, PREFORK_RECYCLE_AGE };

/* The master's answers (slot.answer, a futex word). */
enum prefork_answer {
        PREFORK_ANSWER_NONE,
        PREFORK_ANSWER_GO,    /* end: the replacement is ready, or there is no room for one */
        PREFORK_ANSWER_LATER, /* go on serving and ask again: max_recycling others are being recycled */
};

/* The master's orders about a request (slot.order); SIGUSR1 tells the worker to read them. */
enum prefork_order {
        PREFORK_ORDER_NONE,
        PREFORK_ORDER_TERM, /* send TERM to the handler's group if it still serves request order_request */
        PREFORK_ORDER_KILL, /* the same with KILL; a worker that serves in its own process ends */
        PREFORK_ORDER_DIE,  /* send KILL to the handler's group, whatever it serves, and end */
};

/* What workers log at most once in a while, because clients can cause it (board.records). */
enum prefork_record {
        PREFORK_RECORD_REFUSED, /* a connection beyond max_connections_per_source */
        PREFORK_RECORD_LEFT,    /* a handler that SIGPIPE killed: its client has left */
        PREFORK_RECORD_KILLED,  /* a handler that another signal killed */
        PREFORK_RECORD_FAILED,  /* a module that could not serve a request */
        PREFORK_RECORD_COUNT
};

/* The same, for what admission refuses besides (board.admission_records). */
enum prefork_admission_record {
        PREFORK_ADMISSION_RECORD_ACCESS, /* a client that may not connect */
        PREFORK_ADMISSION_RECORD_PROXY,  /* a connection of a proxy without a good PROXY header */
        PREFORK_ADMISSION_RECORD_WAIT,   /* a connection that had waited longer than queue_timeout */
        PREFORK_ADMISSION_RECORD_BANNER, /* a connection that had no room for the banner */
        PREFORK_ADMISSION_RECORD_RATE,   /* a connection beyond rate_limit_per_source */
        PREFORK_ADMISSION_RECORD_COUNT
};

/* What reports in the slot, after the worker has executed a program that accepts itself. */
enum prefork_attached {
        PREFORK_ATTACHED_NOBODY,
        PREFORK_ATTACHED_PROGRAM, /* the program, through libprefork */
        PREFORK_ATTACHED_PRELOAD, /* preforkd's object that was loaded into it */
        PREFORK_ATTACHED_FORKS, /* the same; but children of the program wait for connections, which it must not fork */
};

/* Where the start of a worker can fail (slot.start_stage, with start_errno). */
enum prefork_stage {
        PREFORK_STAGE_NONE,
        PREFORK_STAGE_DESCRIPTORS,
        PREFORK_STAGE_OOM_SCORE,
        PREFORK_STAGE_NICE,
        PREFORK_STAGE_LIMITS,
        PREFORK_STAGE_ROOT_DIRECTORY,
        PREFORK_STAGE_DIRECTORY,
        PREFORK_STAGE_CREDENTIALS,
        PREFORK_STAGE_HANDLER,
        PREFORK_STAGE_MEMORY,
        PREFORK_STAGE_LISTENERS,
        PREFORK_STAGE_EXEC,
        PREFORK_STAGE_ROOM,
        PREFORK_STAGE_COUNT
};

/* Exit codes of a worker that reports by this protocol. (That of a program that accepts itself is its own affair.) */
enum prefork_exit {
        PREFORK_EXIT_RETIRED = 0,          /* the door was closed */
        PREFORK_EXIT_RECYCLED = 10,        /* went by itself, with the master's leave */
        PREFORK_EXIT_ORPHANED = 11,        /* the master died */
        PREFORK_EXIT_ORDERED = 12,         /* ended on PREFORK_ORDER_DIE */
        PREFORK_EXIT_START_FAILED = 13,    /* start_stage and start_errno say why */
        PREFORK_EXIT_LISTENER_FAILED = 14, /* accept failed for good; start_errno says why */
};

struct prefork_slot {
        /* Line 1: written by the worker, in every request. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t activity; /* enum prefork_activity */
        _Atomic uint32_t recycle;                                    /* enum prefork_recycle */
        _Atomic uint64_t activity_since_ns;
        _Atomic uint64_t requests_begun; /* also the number of the current request */
        _Atomic uint64_t requests_ended;
        _Atomic uint64_t busy_ns;        /* total time of all ended requests */
        _Atomic uint64_t handler_cpu_us; /* CPU time of all ended handler processes */
        _Atomic int32_t handler_status;  /* wait status of the last ended handler process */
        _Atomic uint32_t handler_deaths; /* handler processes that a signal killed */
        _Atomic uint32_t level; /* how many workers were busy when the current request had begun; 0: not known */
        uint32_t reserved_request;

        /* Line 2: written by the worker, rarely. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint64_t source; /* hash of the client's address; 0: none */
        _Atomic uint64_t source_ticket; /* order of arrival; 0 while the worker draws it from `tickets` */
        _Atomic uint32_t start_stage;   /* where the start of the worker failed: enum prefork_stage */
        _Atomic uint32_t start_errno;
        _Atomic uint32_t refused;          /* connections closed unserved because of max_connections_per_source */
        _Atomic uint32_t handler_failures; /* handler processes that exited with a code other than 0 */
        _Atomic uint32_t lost;             /* requests that a shortage has kept from being served */
        _Atomic uint32_t attached;         /* enum prefork_attached */
        _Atomic uint32_t handler_crashes;  /* of handler_deaths, those by SIGSEGV and its kind */
        _Atomic uint32_t obstacle;         /* why the memory of its copies cannot be put back; a number of preforkd's */
        _Atomic uint32_t refused_access;   /* connections closed unserved because of access rules */
        _Atomic uint32_t refused_proxy;    /* connections closed unserved because of their PROXY header */

        /* Line 3: written by the master. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t incarnation; /* the slot's reuse counter */
        _Atomic uint32_t answer;        /* enum prefork_answer; the worker waits on it with futex(2) */
        _Atomic uint32_t order;         /* enum prefork_order */
        _Atomic uint64_t order_request; /* the request (requests_begun) the order is about */
        uint64_t reserved_master[5];

        /* Lines 4 and 5: written by the worker: the duration of requests. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t durations[PREFORK_DURATION_BUCKETS];

        /* Lines 6 and 7: written by the worker: how long connections had waited when they were accepted, where that is
         * known. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t waits[PREFORK_DURATION_BUCKETS];

        /* Line 8: written by the worker, rarely. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t refused_wait; /* closed unserved: queue_timeout */
        _Atomic uint32_t refused_banner;                                 /* closed unserved: the banner did not fit */
        _Atomic uint32_t idle_timeouts;                                  /* requests ended by idle_timeout */
        _Atomic uint32_t refused_rate;                                   /* closed unserved: rate_limit_per_source */
        _Atomic uint32_t throttled;                                      /* held because of rate_limit */
        uint32_t reserved_rare;
        /* Written by any worker, of the level at which as many workers are busy as this slot's number says, and one
         * more: when it was busy last, and the total time of all ended requests that began at it. */
        _Atomic uint64_t level_busy_ns;
        _Atomic uint64_t level_work_us;
        uint64_t reserved_thread[3]; /* for workers with several threads, which have a slot for each thread */
};

struct prefork_scoreboard {
        uint64_t magic;
        uint32_t version;
        uint32_t header_bytes;
        uint32_t slot_bytes;
        uint32_t slot_count;

        /* Written by the master, which recounts after every change. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t low_below; /* 0: no LOW wake-ups */
        _Atomic uint32_t high_above;                                  /* UINT32_MAX: no HIGH wake-ups */
        _Atomic uint32_t notify_busy;                                 /* 1: BUSY wake-ups */
        _Atomic uint32_t slot_limit;                                  /* slots at or above it were never used */
        _Atomic uint32_t max_connections_per_source;                  /* 0: no limit */
        _Atomic uint32_t queue_timeout_ms;                            /* 0: no limit */
        _Atomic uint64_t max_requests;                                /* 0: no recycling by requests */
        _Atomic uint64_t max_worker_memory_bytes;                     /* 0: no recycling by memory */
        _Atomic uint64_t max_worker_age_ns;                           /* 0: no recycling by age */
        _Atomic uint32_t max_requests_jitter_percent;
        _Atomic uint32_t reporting; /* how many workers are idle or busy; one that becomes ready adds itself */
        _Atomic uint32_t levels;    /* enum prefork_levels */
        uint32_t reserved_limits;

        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t wake[PREFORK_WAKE_COUNT];
        /* On a line that workers write, too: as `records`. */
        _Atomic uint64_t admission_records[PREFORK_ADMISSION_RECORD_COUNT];

        /* Shared, written by workers. */
        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint32_t low_water; /* fewest idle workers since the master set it */
        _Atomic uint64_t tickets;                       /* the last ticket for max_connections_per_source */
        _Atomic uint64_t refused;                       /* connections closed because of when_full = refuse */
        _Atomic uint64_t records[PREFORK_RECORD_COUNT]; /* when each was logged, and how many were left out since */
        uint64_t reserved_shared[1];

        _Alignas(PREFORK_SCOREBOARD_LINE) _Atomic uint64_t idle[PREFORK_SCOREBOARD_SLOTS / 64]; /* one bit a slot */

        struct prefork_slot slots[PREFORK_SCOREBOARD_SLOTS];
};

#ifdef __cplusplus
#define PREFORK_SCOREBOARD_ASSERT(condition, text) static_assert(condition, text)
#else
#define PREFORK_SCOREBOARD_ASSERT(condition, text) _Static_assert(condition, text)
#endif
PREFORK_SCOREBOARD_ASSERT(sizeof(struct prefork_slot) == 8 * PREFORK_SCOREBOARD_LINE,
                          "slot layout changed: new version");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_slot, source) == 1 * PREFORK_SCOREBOARD_LINE, "slot layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_slot, incarnation) == 2 * PREFORK_SCOREBOARD_LINE,
                          "slot layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_slot, durations) == 3 * PREFORK_SCOREBOARD_LINE,
                          "slot layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_slot, waits) == 5 * PREFORK_SCOREBOARD_LINE, "slot layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_slot, refused_wait) == 7 * PREFORK_SCOREBOARD_LINE,
                          "slot layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_scoreboard, low_below) == 1 * PREFORK_SCOREBOARD_LINE,
                          "header layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_scoreboard, wake) == 2 * PREFORK_SCOREBOARD_LINE,
                          "header layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_scoreboard, low_water) == 3 * PREFORK_SCOREBOARD_LINE,
                          "header layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_scoreboard, idle) == 4 * PREFORK_SCOREBOARD_LINE,
                          "header layout changed");
PREFORK_SCOREBOARD_ASSERT(offsetof(struct prefork_scoreboard, slots) ==
                                  4 * PREFORK_SCOREBOARD_LINE + PREFORK_SCOREBOARD_SLOTS / 8,
                          "header layout changed");

#ifdef __cplusplus
}
#endif
