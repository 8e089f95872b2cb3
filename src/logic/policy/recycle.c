#include "logic/policy/recycle.h"

#include <assert.h>
#include <stddef.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "logic/policy/turn.h"

/* How often the master looks again at a worker that is too old. A busy one asks when its request ends, by its own
 * clock; the look is a precaution. */
#define TOO_OLD_LOOK_MS 1000

static const char *const reasons[] = {
        [RECYCLE_NOT_ASKED] = "",
        [RECYCLE_REQUESTS] = "max_requests",
        [RECYCLE_MEMORY] = "max_worker_memory",
        [RECYCLE_AGE] = "max_worker_age",
};
static_assert(ELEMENTS(reasons) == RECYCLE_REASON_COUNT, "a reason without a word");

static uint64_t too_old_at_ms(const struct turn *turn, const struct worker_row *row)
{
        uint64_t age_ms = turn->config->max_worker_age_ms;

        return age_ms > 0 ? saturated_add(row->launched_ms, age_ms) : TURN_NEVER_MS;
}

/* True if without this worker the pool would have fewer than max_spare spare workers. The drain policy replaces its own
 * helpers if they are still needed, and a pool that closes down replaces none. */
static bool needs_replacement(const struct turn *turn, const struct worker_row *row)
{
        const struct worker_counts *counts = &turn->rows.counts;
        unsigned others = counts->idle + counts->starting - worker_row_idle_slots(row);

        return turn->config->scaling != SCALING_ONDEMAND && row->purpose != WORKER_DRAIN && !turn->closing_down &&
               others < turn->limits.max_spare;
}

/* A worker that asked ends by itself after its request. It counts until then, so that max_workers holds while it
 * serves. A worker that does not ask goes only if it is idle and too old. */
static void let_go(struct turn *turn, uint32_t row, const char *reason)
{
        const struct worker_row *item = &turn->rows.items[row];
        bool asks = item->asks != RECYCLE_NOT_ASKED;

        if (!asks && !(item->idle && turn->now_ms >= too_old_at_ms(turn, item))) {
                turn_serve_on(turn, row); /* it has taken an earlier LATER */
                return;
        }
        turn_let_go(turn, row, reason);
        if (!asks) /* it may become busy right now and then serves on */
                turn_ask_at(turn, saturated_add(turn->now_ms, TOO_OLD_LOOK_MS));
}

/* False if the worker needs a replacement and none can be launched now; another worker would fare no better. */
static bool begin(struct turn *turn, uint32_t row, enum recycle_reason why)
{
        const struct worker_row *item = &turn->rows.items[row];
        bool replaced = turn_has_room(turn) && needs_replacement(turn, item);
        const struct launch launch = {.purpose = WORKER_REPLACE, .count = 1, .reason = "recycle", .replaces = row};

        if (replaced && turn_launch(turn, &launch) == 0)
                return false;
        item = &turn->rows.items[row]; /* a launch may move the rows */
        uint64_t requests = MAX_OF(item->requests, item->request);
        /* A worker asks while it serves its last request, so that request is counted. */
        turn_record(turn, ORDER_RECORD, LOG_DEBUG, "recycling worker %d (%s, %llu request%s)", (int)item->pid,
                    reasons[why], (unsigned long long)requests, requests == 1 ? "" : "s");
        if (!replaced)
                let_go(turn, row, reasons[why]);
        return true;
}

/* A worker whose recycling is in progress. It may go when its replacement is ready. It serves on if the replacement
 * failed (or was retired by a roll or as surplus), or if it no longer asked when it was allowed to go. */
static void follow_up(struct turn *turn, uint32_t row)
{
        const struct worker_row *item = &turn->rows.items[row];
        const struct worker_row *other =
                item->replacement == WORKER_ROW_NONE ? NULL : &turn->rows.items[item->replacement];
        bool is_replaced = other && worker_row_counts(other);

        if (!worker_row_stays(item) || (is_replaced && worker_row_is_starting(other)))
                return;
        if (item->recycling == RECYCLE_LET_GO && item->asks != RECYCLE_NOT_ASKED) {
                if (item->idle) /* it stopped waiting for the answer and is idle again */
                        turn_retire(turn, row, "recycled");
                else if (!item->granted) /* it was allowed before it asked: the question cleared the answer */
                        turn_let_go(turn, row, "recycled");
        } else if (is_replaced)
                let_go(turn, row, "recycled");
        else
                turn_serve_on(turn, row);
}

/* Workers whose recycling is in progress. In a full pool a replacement cannot be launched first, so a starting worker
 * counts for one that has gone. A detached worker may take hours to end, so it does not count. */
static unsigned count_in_progress(const struct turn *turn)
{
        bool is_full = !turn_has_room(turn);
        unsigned count = 0;

        for (uint32_t i = 0; i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                bool stands_in = is_full && worker_row_counts(row) && worker_row_is_starting(row) &&
                                 row->purpose != WORKER_REPLACE;
                count += (row->recycling != RECYCLE_NONE && row->life.state != WORKER_DETACHED) || stands_in;
        }
        return count;
}

static bool may_begin(const struct worker_row *row)
{
        return row->recycling == RECYCLE_NONE && row->life.state == WORKER_READY && worker_row_stays(row);
}

/* Of the workers that ask, the one whose request began first. Several may have asked since the last turn. */
static uint32_t find_first_asking(const struct worker_rows *rows, uint32_t count)
{
        uint32_t first = WORKER_ROW_NONE;

        for (uint32_t i = 0; i < count; i++) {
                const struct worker_row *row = &rows->items[i];
                if (may_begin(row) && row->asks != RECYCLE_NOT_ASKED &&
                    (first == WORKER_ROW_NONE || row->asked_ns < rows->items[first].asked_ns))
                        first = i;
        }
        return first;
}

/* How many more recyclings may begin; none during back-off. */
static uint64_t count_free_places(const struct turn *turn)
{
        uint64_t in_progress = count_in_progress(turn), most = turn->config->max_recycling;

        return turn_is_backing_off(turn) || in_progress >= most ? 0 : most - in_progress;
}

/* Check the age of a worker that is not being recycled and does not ask. True if its recycling begins. If its
 * replacement cannot be launched now, *places becomes 0 and the worker is checked again later. */
static bool look_at_age(struct turn *turn, uint32_t row, uint64_t *places)
{
        uint64_t old_at_ms = too_old_at_ms(turn, &turn->rows.items[row]);
        bool is_too_old = turn->now_ms >= old_at_ms;

        if (!is_too_old || !turn->rows.items[row].idle) {
                turn_ask_at(turn, is_too_old ? saturated_add(turn->now_ms, TOO_OLD_LOOK_MS) : old_at_ms);
                return false;
        }
        if (*places == 0) /* checked again when another worker has gone or back-off ends */
                return false;
        if (begin(turn, row, RECYCLE_AGE))
                return true;
        turn_ask_at(turn, saturated_add(turn->now_ms, TOO_OLD_LOOK_MS));
        *places = 0;
        return false;
}

void recycle_decide(struct turn *turn)
{
        uint32_t count = turn->rows.count, row; /* without those launched here */
        uint64_t places = count_free_places(turn);

        for (row = 0; row < count; row++)
                if (turn->rows.items[row].recycling != RECYCLE_NONE)
                        follow_up(turn, row);
        while (places > 0 && (row = find_first_asking(&turn->rows, count)) != WORKER_ROW_NONE)
                places = begin(turn, row, turn->rows.items[row].asks) ? places - 1 : 0;
        for (row = 0; row < count; row++) {
                if (!may_begin(&turn->rows.items[row]))
                        continue;
                if (turn->rows.items[row].asks != RECYCLE_NOT_ASKED)
                        turn_serve_on(turn, row);
                else
                        places -= look_at_age(turn, row, &places);
        }
}
