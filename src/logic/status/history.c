#include "logic/status/history.h"

#include <assert.h>

#include "base/cleanup.h"

#define PER_WORKER 100

const char *const history_column_names[] = {
        [HISTORY_AGE_MS] = "age_ms",     [HISTORY_FOR_MS] = "for_ms",     [HISTORY_BUSY] = "busy",
        [HISTORY_IDLE] = "idle",         [HISTORY_STARTING] = "starting", [HISTORY_UNWATCHED] = "unwatched",
        [HISTORY_REQUESTS] = "requests", [HISTORY_QUEUE] = "queue",
};
static_assert(ELEMENTS(history_column_names) == HISTORY_COLUMN_COUNT, "a name for every enum history_column");

/* What was seen last holds until now. */
static void go_on(struct history_open *open, uint64_t now_ms)
{
        uint64_t passed_ms = now_ms - MIN_OF(open->seen_ms, now_ms);

        open->starting_ms += passed_ms * open->seen.starting;
        open->unwatched_ms += passed_ms * open->seen.unwatched;
        open->total_ms += passed_ms * open->seen.total;
        open->seen_ms = MAX_OF(open->seen_ms, now_ms);
}

void history_see(struct history *history, uint64_t now_ms, const struct history_seen *seen)
{
        go_on(&history->open, now_ms);
        history->open.seen = *seen;
}

bool history_is_due(const struct history *history, uint64_t now_ms)
{
        return history->open.since_ms == 0 || now_ms >= history->open.since_ms + HISTORY_PAUSE_MS;
}

static uint32_t average(double worked_ms, uint64_t passed_ms)
{
        return (uint32_t)MIN_OF(worked_ms * PER_WORKER / (double)passed_ms + .5, (double)UINT32_MAX);
}

/* Write the interval up to now, which has lasted, into a place of the ring. */
static void fill(struct history *history, size_t place, uint64_t now_ms, const struct history_counted *counted)
{
        struct history_open *open = &history->open;
        uint64_t passed_ms = now_ms - open->since_ms;
        /* A worker that was killed takes the time of its request with it. */
        uint64_t busy_ns = counted->busy_ns - MIN_OF(open->begun.busy_ns, counted->busy_ns);
        uint64_t requests = counted->requests - MIN_OF(open->begun.requests, counted->requests);

        go_on(open, now_ms);
        history->until_ms[place] = now_ms;
        history->busy[place] = average((double)busy_ns / 1e6, passed_ms);
        history->starting[place] = average((double)open->starting_ms, passed_ms);
        history->unwatched[place] = average((double)open->unwatched_ms, passed_ms);
        uint32_t total = average((double)open->total_ms, passed_ms);
        uint32_t others = history->busy[place] + history->starting[place] + history->unwatched[place];
        history->idle[place] = total - MIN_OF(others, total);
        history->requests[place] = (uint32_t)MIN_OF(requests, (uint64_t)UINT32_MAX);
        history->queue[place] = open->seen.queue;
}

void history_note(struct history *history, uint64_t now_ms, const struct history_counted *counted)
{
        struct history_open *open = &history->open;
        size_t place = history->count % HISTORY_INTERVALS;

        if (!history_is_due(history, now_ms))
                return;
        if (open->since_ms > 0) {
                if (history->count == 0)
                        history->begun_ms = open->since_ms;
                else if (history->count >= HISTORY_INTERVALS)
                        history->begun_ms = history->until_ms[place];
                fill(history, place, now_ms, counted);
                history->count++;
        }
        *open = (struct history_open){.since_ms = now_ms, .seen_ms = now_ms, .begun = *counted, .seen = open->seen};
}

static struct history_row row_of(const struct history *history, size_t place, uint64_t begun_ms, uint64_t now_ms)
{
        uint64_t until_ms = history->until_ms[place];

        return (struct history_row){.column = {
                                            [HISTORY_AGE_MS] = (double)(now_ms - MIN_OF(until_ms, now_ms)),
                                            [HISTORY_FOR_MS] = (double)(until_ms - MIN_OF(begun_ms, until_ms)),
                                            [HISTORY_BUSY] = (double)history->busy[place] / PER_WORKER,
                                            [HISTORY_IDLE] = (double)history->idle[place] / PER_WORKER,
                                            [HISTORY_STARTING] = (double)history->starting[place] / PER_WORKER,
                                            [HISTORY_UNWATCHED] = (double)history->unwatched[place] / PER_WORKER,
                                            [HISTORY_REQUESTS] = history->requests[place],
                                            [HISTORY_QUEUE] = history->queue[place],
                                    }};
}

size_t history_read(const struct history *history, uint64_t now_ms, const struct history_counted *counted,
                    struct history_row ret[static HISTORY_INTERVALS + 1])
{
        size_t kept = (size_t)MIN_OF(history->count, (uint64_t)HISTORY_INTERVALS);
        uint64_t begun_ms = history->begun_ms;

        for (size_t i = 0; i < kept; i++) {
                size_t place = (history->count - kept + i) % HISTORY_INTERVALS;
                ret[i] = row_of(history, place, begun_ms, now_ms);
                begun_ms = history->until_ms[place];
        }
        if (history->open.since_ms == 0 || now_ms <= history->open.since_ms)
                return kept;
        struct history open = {.open = history->open};
        fill(&open, 0, now_ms, counted);
        ret[kept] = row_of(&open, 0, history->open.since_ms, now_ms);
        return kept + 1;
}
