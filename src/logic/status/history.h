/* What the workers of a pool did over the last minutes. Pure.
 *
 * The master has no tick at which it could look, and its workers go busy and idle without it: what it saw whenever it
 * happened to look would say little. So the history is of intervals, each of which is an average over all of its time:
 * how long workers were busy is their own count, which is exact however long the master slept, and how many there were
 * and started is known between two looks, too, because none comes or goes without a turn of the master. The intervals
 * follow each other without a gap. Each lasts HISTORY_PAUSE_MS, or until the first turn after that: an idle pool has
 * few that last long. The queue alone is a look, at the end of the interval.
 *
 * In memory: 4 KB a pool, for the last ten minutes at least. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Places in the hand-over to another program are those of the ring: another number needs another name there. */
#define HISTORY_INTERVALS 120
#define HISTORY_PAUSE_MS UINT64_C(5000)

/* What is covered in any case. */
#define HISTORY_WINDOW_MS (HISTORY_INTERVALS * HISTORY_PAUSE_MS)

/* What is known of an interval, oldest to youngest: columns of the status. */
enum history_column {
        HISTORY_AGE_MS, /* since its end */
        HISTORY_FOR_MS,
        HISTORY_BUSY, /* workers on average, detached and ending ones included */
        HISTORY_IDLE,
        HISTORY_STARTING,
        HISTORY_UNWATCHED,
        HISTORY_REQUESTS, /* that ended in it */
        HISTORY_QUEUE,    /* at its end */
        HISTORY_COLUMN_COUNT
};

extern const char *const history_column_names[HISTORY_COLUMN_COUNT];

struct history_row {
        double column[HISTORY_COLUMN_COUNT];
};

/* The workers that there are, and the connections that wait. */
struct history_seen {
        unsigned starting, unwatched, total, queue;
};

/* What the pool has counted since it was made: for how long workers were busy, the present requests included. */
struct history_counted {
        uint64_t busy_ns, requests;
};

/* The interval that goes on. */
struct history_open {
        uint64_t since_ms;                            /* 0: there is none yet */
        struct history_counted begun;                 /* what was counted before it */
        uint64_t starting_ms, unwatched_ms, total_ms; /* for how long there were workers, all in all, until … */
        uint64_t seen_ms;                             /* … the last look, since when there are these: */
        struct history_seen seen;
};

/* Zero-initialise. Averages are in hundredths of a worker. */
struct history {
        uint64_t until_ms[HISTORY_INTERVALS];
        uint32_t busy[HISTORY_INTERVALS], idle[HISTORY_INTERVALS], starting[HISTORY_INTERVALS];
        uint32_t unwatched[HISTORY_INTERVALS], requests[HISTORY_INTERVALS], queue[HISTORY_INTERVALS];
        uint64_t count;    /* ever noted */
        uint64_t begun_ms; /* when the oldest of them began */
        struct history_open open;
};

/* The workers are these from now on. */
void history_see(struct history *history, uint64_t now_ms, const struct history_seen *seen);

/* True if history_note() has something to do; what it needs takes time to count. */
bool history_is_due(const struct history *history, uint64_t now_ms);

/* End the present interval, if it has lasted, and begin the next. */
void history_note(struct history *history, uint64_t now_ms, const struct history_counted *counted);

/* The intervals, oldest first; the last of them goes on. Returns their number. */
size_t history_read(const struct history *history, uint64_t now_ms, const struct history_counted *counted,
                    struct history_row ret[static HISTORY_INTERVALS + 1]);
