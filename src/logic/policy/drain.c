#include "logic/policy/drain.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "logic/policy/turn.h"

#define POLL_MS 10

/* How long an empty listener stays open for handshakes under way. They cannot be told from a flood of SYNs that never
 * complete, so the wait is limited. */
#define HANDSHAKE_GRACE_MS 1000

/* How long a program that reports nothing has for the last that it has taken from a listener: nobody sees it serve.
 * Others may come for ever where they cannot be kept away, so that ends some time after the queue was first empty. */
#define LAST_CLIENT_GRACE_MS 1000
#define LAST_CLIENTS_MS 10000

/* Busy workers mostly empty the queue themselves: a helper is launched only after this. */
#define HELP_AFTER_MS 1000

static bool somebody_waits(const struct closing_row *item)
{
        return item->queue_known && item->queued > 0;
}

/* True if the worker has the listener. A worker that was launched to drain has all listeners that were closing then. */
static bool holds(const struct worker_row *row, const struct closing_row *item)
{
        if (row->purpose == WORKER_DRAIN)
                return row->generation > item->last_generation;
        return row->generation >= item->since_generation && row->generation <= item->last_generation;
}

/* True if nobody is left who can serve what waits there. Old workers that report can, and do so when they have time. */
static bool is_hopeless(const struct turn *turn, const struct closing_row *item)
{
        for (uint32_t i = 0; item->hopeless && i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                if (!row->unwatched && row->purpose != WORKER_DRAIN && worker_row_stays(row) && holds(row, item))
                        return false;
        }
        return item->hopeless;
}

/* True if a program that reports nothing may still accept there. */
static bool has_unwatched_holder(const struct turn *turn, const struct closing_row *item)
{
        for (uint32_t i = 0; i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                if (row->unwatched && worker_row_stays(row) && holds(row, item))
                        return true;
        }
        return false;
}

/* True if a program that reports nothing may serve what it has taken there. */
static bool may_be_served(const struct turn *turn, const struct closing_row *item)
{
        bool somebody_came = item->waited_ms > 0 || item->emptied_ms > 0 || !item->no_handshakes;

        if (item->stays_open || !somebody_came || !has_unwatched_holder(turn, item))
                return false;
        uint64_t last_ms = MAX_OF(item->waited_ms, item->emptied_ms);
        return item->emptied_ms == 0 || turn->now_ms < MIN_OF(saturated_add(last_ms, LAST_CLIENT_GRACE_MS),
                                                              saturated_add(item->emptied_ms, LAST_CLIENTS_MS));
}

/* True if no connection waits on it and none will, and the last has most likely been served where that is not reported.
 * A listener that stays open for the next master is never empty under load: it has drained when the connections that
 * waited when it began to close have been served. */
static bool has_drained(const struct turn *turn, const struct closing_row *item)
{
        if (item->stays_open && turn->accepted >= item->enough_accepted)
                return true;
        if (somebody_waits(item))
                return is_hopeless(turn, item);
        if (may_be_served(turn, item))
                return false;
        return item->no_handshakes ||
               turn->now_ms >= saturated_add(MAX_OF(item->waited_ms, item->closing_since_ms), HANDSHAKE_GRACE_MS);
}

bool drain_waits_for_roll(const struct turn *turn)
{
        size_t held = 0;

        for (size_t i = 0; i < turn->closing_count; i++) {
                const struct closing_row *item = &turn->closing[i];
                if (item->closed)
                        continue;
                if (!has_drained(turn, item) || !has_unwatched_holder(turn, item))
                        return false;
                held++;
        }
        return held > 0;
}

/* True if the worker has a closing listener that has not drained, and whose clients no next master serves. */
static bool is_needed(const struct turn *turn, const struct worker_row *row)
{
        for (size_t i = 0; i < turn->closing_count; i++) {
                const struct closing_row *item = &turn->closing[i];
                if (!item->closed && !item->stays_open && holds(row, item) && !has_drained(turn, item))
                        return true;
        }
        return false;
}

/* What has drained is closed; but to a program that knows nothing of us, a listener that is shut while it accepts is an
 * error, and it may end with one. So it is asked to end first: by the roll, or here where the whole pool closes down,
 * and if it is a helper, which the roll leaves alone. */
static void finish(struct turn *turn, size_t at)
{
        const struct closing_row *item = &turn->closing[at];

        if (!has_unwatched_holder(turn, item)) {
                turn_close(turn, at);
                turn->again = true; /* a roll may wait for this */
                return;
        }
        for (uint32_t i = 0; i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                bool is_ours = turn->closing_down || row->purpose == WORKER_DRAIN;
                if (row->unwatched && is_ours && holds(row, item) && !is_needed(turn, row))
                        turn_retire(turn, i, "drained");
        }
}

/* True if connections wait there and no worker is about to accept them: those that have the listener are gone, or have
 * been busy for a while. */
static bool needs_help(struct turn *turn, const struct closing_row *item)
{
        unsigned holders = 0, takers = 0;

        if (item->closed || item->hopeless || !somebody_waits(item))
                return false;
        for (uint32_t i = 0; i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                if (!worker_row_stays(row) || !holds(row, item))
                        continue;
                holders++;
                takers += worker_row_is_starting(row) ? worker_row_slots(row) : worker_row_idle_slots(row);
        }
        return item->queued > takers &&
               (holders == 0 || turn->now_ms >= saturated_add(item->closing_since_ms, HELP_AFTER_MS));
}

/* Launch a worker that serves closing listeners only, at most one per turn: the first in any case, more only within
 * reload_surge. A pool that closes down is scaled as usual instead. */
static void help(struct turn *turn)
{
        const struct launch launch = {.purpose = WORKER_DRAIN, .count = 1, .reason = "drain"};
        bool needed = false;

        if (turn->closing_down || turn_is_backing_off(turn))
                return;
        for (size_t i = 0; i < turn->closing_count && !needed; i++)
                needed = needs_help(turn, &turn->closing[i]);
        if (needed && (turn->rows.counts.helpers == 0 || turn_room_ahead(turn) > 0))
                turn_launch(turn, &launch);
}

/* Nothing is left for them to serve. */
static void retire_helpers(struct turn *turn)
{
        for (uint32_t i = 0; i < turn->rows.count; i++)
                if (turn->closing_down || turn->rows.items[i].purpose == WORKER_DRAIN)
                        turn_retire(turn, i, "drained");
}

void drain_decide(struct turn *turn)
{
        for (size_t i = turn->closing_count; i-- > 0;) {
                if (turn->closing[i].closed)
                        continue;
                if (has_drained(turn, &turn->closing[i]))
                        finish(turn, i);
                else if (somebody_waits(&turn->closing[i]))
                        turn_note_queue(turn, i);
                else if (turn->closing[i].emptied_ms == 0 && may_be_served(turn, &turn->closing[i]))
                        turn_note_empty(turn, i);
        }
        if (turn_closing_left(turn) == 0) {
                retire_helpers(turn);
                return;
        }
        if (drain_waits_for_roll(turn)) /* which may wait for the room that helpers take up */
                retire_helpers(turn);
        help(turn);
        turn_ask_at(turn, saturated_add(turn->now_ms, POLL_MS));
}
