#include "logic/policy/scaling.h"

#include <stddef.h>
#include <stdio.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "logic/policy/pressure_limit.h"
#include "logic/policy/total_limit.h"
#include "logic/policy/turn.h"

/* How often a saturated pool that has not been reported yet checks for waiting connections. */
#define UNTOLD_LOOK_MS 100

/* How long a program that reports nothing may take before it accepts or reads for the first time. */
#define FIRST_MS 1000

/* Workers that have become ready since the pool was full, and report nothing. */
static unsigned count_fresh(const struct turn *turn)
{
        unsigned count = 0;

        for (uint32_t i = 0; i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                count += worker_row_is_unwatched(row) && worker_row_counts(row) &&
                         row->life.since_ms >= turn->scaling->occupancy.full_since_ms;
        }
        return count;
}

static struct occupancy_view look(struct turn *turn)
{
        return occupancy_look(&turn->scaling->occupancy, turn->now_ms, turn->rows.counts.unwatched, count_fresh(turn),
                              turn->queued);
}

/* The idle slots of workers that are idle as a whole. */
static unsigned count_whole(const struct turn *turn)
{
        unsigned count = 0;

        for (uint32_t i = 0; i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                if (worker_row_counts(row) && row->idle && !row->stopped && row->throttled == 0)
                        count += worker_row_slots(row);
        }
        return count;
}

/* An old worker and its replacement count once. */
static unsigned scaled_total(const struct turn *turn)
{
        const struct worker_counts *counts = &turn->rows.counts;

        return counts->total - MIN_OF(counts->surge, counts->old_total);
}

static struct scale_input gather(const struct turn *turn, unsigned unwatched_spare)
{
        const struct worker_counts *counts = &turn->rows.counts;
        const struct occupancy *occupancy = &turn->scaling->occupancy;
        unsigned low_water = counts->unwatched > 0 ? occupancy->low_water : turn->low_water;
        /* What waits is no demand as long as one that reports nothing may be about to accept it. */
        bool is_taken = counts->unwatched > 0 && occupancy->phase != OCCUPANCY_FULL;
        /* Nor while rate_limit holds connections: more workers would hold more. */
        is_taken |= counts->throttled > 0;

        return (struct scale_input){
                .now_ms = turn->now_ms,
                .idle = counts->idle + unwatched_spare,
                .held = counts->throttled,
                .whole = turn->limits.unit > 1 ? count_whole(turn) : 0,
                .starting = counts->starting,
                .total = scaled_total(turn),
                .queued = is_taken ? 0 : turn->queued,
                .low_water = low_water,
                .started = turn->scaling->started,
                .may_fork = !turn_is_backing_off(turn) && !turn->killing && !turn->paused &&
                            (!turn->closing_down || turn->queued > 0),
        };
}

static void take_advice(struct turn *turn, const struct scale_limits *limits, struct scale_input *input)
{
        const struct adaptive_input asked = {
                .now_ms = input->now_ms,
                .worth = turn->worth,
                .idle = input->idle,
                .starting = input->starting,
                .total = input->total,
                .queued = input->queued,
                .min_spare = limits->min_spare,
                .max_spare = limits->max_spare,
                .max_workers = limits->max_workers,
                .max_spare_ms = limits->spare_timeout_ms,
                .may_fork = input->may_fork,
                .left_ms = turn->level_busy_ms,
                .levels = turn->level_count,
        };

        if (limits->scaling != SCALING_ADAPTIVE)
                return;
        input->advice = adaptive_advise(&asked, &turn->scaling->adaptive);
        turn->levels.reached = input->advice.reached;
}

/* Retire idle workers with so many slots in all: those that hold no connection first, and of these those of older
 * generations. */
static void retire_idle(struct turn *turn, unsigned slots)
{
        const struct worker_rows *rows = &turn->rows;

        for (unsigned pass = 0; pass < 4; pass++)
                for (uint32_t i = 0; i < rows->count && slots > 0; i++) {
                        const struct worker_row *row = &rows->items[i];
                        if (worker_row_counts(row) && (row->idle || worker_row_is_unwatched(row)) &&
                            (pass % 2 == 1 || worker_row_is_old(rows, row)) && (pass >= 2 || row->throttled == 0) &&
                            worker_row_slots(row) <= slots) {
                                slots -= worker_row_slots(row);
                                turn_retire(turn, i, "surplus");
                        }
                }
}

/* The worker with the most idle threads, or WORKER_ROW_NONE. */
static uint32_t find_most_idle(const struct worker_rows *rows)
{
        uint32_t best = WORKER_ROW_NONE;

        for (uint32_t i = 0; i < rows->count; i++) {
                const struct worker_row *row = &rows->items[i];
                if (!worker_row_counts(row) || row->stopped || worker_row_idle_slots(row) == 0)
                        continue;
                if (best == WORKER_ROW_NONE || worker_row_idle_slots(row) > worker_row_idle_slots(&rows->items[best]))
                        best = i;
        }
        return best;
}

/* The pool has more workers than it may, and none is idle as a whole: its busy threads finish their requests. */
static void retire_partly_idle(struct turn *turn, unsigned slots)
{
        uint32_t row;

        while (slots > 0 && (row = find_most_idle(&turn->rows)) != WORKER_ROW_NONE) {
                slots -= MIN_OF(slots, worker_row_slots(&turn->rows.items[row]));
                turn_retire(turn, row, "surplus");
                if (worker_row_counts(&turn->rows.items[row])) /* no memory for the order */
                        return;
        }
}

/* Carry out what the decision says about idle ones. */
static void retire(struct turn *turn, const struct scale_decision *decision)
{
        unsigned before = turn->rows.counts.total, gone;

        retire_idle(turn, decision->retire);
        gone = before - turn->rows.counts.total;
        if (decision->retire_any && gone < decision->retire)
                retire_partly_idle(turn, decision->retire - gone);
        turn->again |= decision->retire_any && turn->limits.unit > 1 && turn->rows.counts.total < before;
}

/* Workers that a signal has stopped are never idle. Above max_workers those without a request are retired: they serve
 * nobody, and are killed if they are not continued soon. */
static void retire_stopped(struct turn *turn, unsigned above)
{
        const struct worker_rows *rows = &turn->rows;

        for (uint32_t i = 0; i < rows->count && above > 0; i++)
                if (worker_row_counts(&rows->items[i]) && rows->items[i].stopped && !rows->items[i].busy) {
                        above -= MIN_OF(above, worker_row_slots(&rows->items[i]));
                        turn_retire(turn, i, "surplus");
                }
}

static void tell_saturation(struct turn *turn, unsigned workers, uint64_t waiting, uint64_t refused)
{
        uint64_t count = waiting > 0 ? waiting : refused;
        char pressure[PRESSURE_TEXT_MAX];
        const char *waits = waiting == 1 ? " waits" : "s wait",
                   *was_refused = refused == 1 ? " was refused" : "s were refused";

        turn->scaling->saturation_told = true;
        turn->scaling->told_since_ms = turn->now_ms;
        if (total_limit_holds(turn))
                turn_record(turn, ORDER_TELL_SATURATED, LOG_WARNING,
                            "saturated: %u worker%s in use, %llu connection%s; the workers of all pools are as many as "
                            "max_workers_total = %u allows",
                            workers, workers == 1 ? " is" : "s are", (unsigned long long)count,
                            waiting > 0 ? waits : was_refused, turn->total_limit);
        else if (pressure_limit_holds(turn))
                turn_record(turn, ORDER_TELL_SATURATED, LOG_WARNING,
                            "saturated: %u worker%s in use, %llu connection%s; growth is held back (%s)", workers,
                            workers == 1 ? " is" : "s are all", (unsigned long long)count,
                            waiting > 0 ? waits : was_refused, pressure_hold_text(&turn->scaling->pressure, pressure));
        else
                turn_record(turn, ORDER_TELL_SATURATED, LOG_WARNING,
                            "saturated: %u worker%s in use, %llu connection%s; consider raising max_workers", workers,
                            workers == 1 ? " is" : "s are all", (unsigned long long)count,
                            waiting > 0 ? waits : was_refused);
}

static void tell_relief(struct turn *turn, uint64_t refused)
{
        turn->scaling->saturation_told = false;
        turn->scaling->refused_before += refused;
        if (refused > 0)
                turn_record(turn, ORDER_TELL_RELIEVED, LOG_INFO, "no longer saturated; %llu connection%s refused",
                            (unsigned long long)refused, refused == 1 ? " was" : "s were");
        else
                turn_record(turn, ORDER_TELL_RELIEVED, LOG_INFO, "no longer saturated");
}

/* True if a worker that reports nothing may be about to take what waits for the first time: many a program needs longer
 * to begin than it takes to see that the pool is full. */
static bool somebody_begins(const struct turn *turn)
{
        for (uint32_t i = 0; i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                if (worker_row_is_unwatched(row) && worker_row_counts(row) &&
                    turn->now_ms < saturated_add(row->life.since_ms, FIRST_MS))
                        return true;
        }
        return false;
}

/* A connection that an idle or starting worker is about to accept does not count as waiting. */
static bool more_wait_than_come(const struct scale_decision *decision, const struct scale_input *input)
{
        return input->queued > (uint64_t)input->idle + input->starting + decision->start;
}

/* An episode is reported once a connection waits: a pool with one worker is fully used during every request. If the
 * refuser was faster than this check, no connection waits but one was refused. The end is reported when the refuser has
 * gone, so that no connection is refused outside an episode. */
static void follow_saturation(struct turn *turn, const struct scale_decision *decision, const struct scale_input *input)
{
        struct scaling_state *scaling = turn->scaling;
        uint64_t refused = turn->refused - MIN_OF(scaling->refused_before, turn->refused);

        bool somebody_waits =
                more_wait_than_come(decision, input) && !somebody_begins(turn) && !total_limit_may_pass(turn);
        if (!scaling->saturation_told && ((scaling->scale.saturated && somebody_waits) || refused > 0))
                tell_saturation(turn, input->total + decision->start, input->queued, refused);
        if (scaling->saturation_told && (!scaling->scale.saturated || total_limit_leaves_empty(turn)) &&
            worker_rows_find_refuser(&turn->rows) == WORKER_ROW_NONE)
                tell_relief(turn, refused);
}

/* A saturated pool with when_full = refuse has a refuser process; no other pool has one. It refuses whoever has waited
 * for long, for a worker that starts, too: so it does not begin while those will take all who wait. */
static void keep_refuser(struct turn *turn, const struct scale_decision *decision, const struct scale_input *input)
{
        bool wanted = turn->scaling->scale.saturated && !total_limit_leaves_empty(turn) &&
                      turn->config->when_full == FULL_REFUSE && !turn->closing_down;
        const struct launch launch = {.purpose = WORKER_REFUSE, .count = 1, .reason = "refuse"};
        uint32_t refuser = worker_rows_find_refuser(&turn->rows);
        bool somebody_comes = input->starting + decision->start > 0 && !more_wait_than_come(decision, input);

        if (wanted && refuser == WORKER_ROW_NONE && !somebody_comes)
                turn_launch(turn, &launch);
        else if (!wanted && refuser != WORKER_ROW_NONE)
                turn_retire(turn, refuser, "refuse");
}

struct verdict {
        struct occupancy_view view;
        unsigned unwatched_spare; /* of input.idle, those that report nothing */
        struct scale_input input;
        struct scale_decision decision;
        unsigned missing; /* workers that are not started because of growth_pressure_limit */
};

/* Workers that report nothing may be spare, too, and are never in the idle set. (A pool has both in a roll.) */
static unsigned count_above(unsigned idle_above, unsigned unwatched_spare)
{
        return idle_above == UINT32_MAX ? idle_above : idle_above - MIN_OF(unwatched_spare, idle_above);
}

static void publish(struct turn *turn, const struct scale_decision *decision, const struct verdict *verdict)
{
        const struct occupancy_view *view = &verdict->view;
        bool hidden = turn_closing_left(turn) > 0 && decision->low_below > 0;

        /* While old listeners drain, the idle count includes workers of the old generation, which hides a shortage of
         * new ones. */
        turn->levels.low_below = hidden ? UINT32_MAX : decision->low_below;
        /* An idle helper is in the idle set but is no spare worker. While it exists, the drain policy polls often
         * enough. */
        turn->levels.high_above = turn->rows.counts.helpers > 0
                                          ? UINT32_MAX
                                          : count_above(decision->high_above, verdict->unwatched_spare);
        turn->levels.reset_low_water = decision->reset_low_water;
        turn->levels.watch_listeners = decision->watch_listeners || view->watch;
        total_limit_watch(turn);
        if (decision->reset_low_water)
                occupancy_reset_low_water(&turn->scaling->occupancy, view->free - MIN_OF(decision->retire, view->free));
}

static void ask_again(struct turn *turn, const struct scale_decision *decision, const struct occupancy_view *view)
{
        if (view->look_at_ms > 0)
                turn_ask_at(turn, view->look_at_ms);
        if (decision->shrink_at_ms > 0 && !total_limit_leaves_empty(turn))
                turn_ask_at(turn, decision->shrink_at_ms);
        bool is_told_of_clients = total_limit_holds(turn) && turn->scaling->waiting.wants == 0;
        is_told_of_clients |= pressure_limit_holds(turn); /* which looks again by itself */
        if (turn->scaling->scale.saturated && !turn->scaling->saturation_told && !is_told_of_clients)
                turn_ask_at(turn, saturated_add(turn->now_ms, UNTOLD_LOOK_MS));
        if (turn_is_backing_off(turn))
                turn_ask_at(turn, turn->not_before_ms);
}

/* What inetd calls wait ends when it likes. Whether it has more to do is not known, so none of them is surplus. */
static void keep_waiting_ones(const struct turn *turn, struct scale_limits *limits)
{
        if (pool_config_is_wait(turn->config))
                limits->max_spare = limits->max_workers;
}

static struct verdict judge(struct turn *turn)
{
        struct verdict verdict = {.view = look(turn)};
        struct scale_limits wide = turn->limits;

        total_limit_apply(turn, scaled_total(turn), &wide);
        struct scale_limits limits = wide;
        pressure_limit_apply(turn, scaled_total(turn), &limits);
        keep_waiting_ones(turn, &limits);
        verdict.unwatched_spare = occupancy_spare(verdict.view.free, limits.max_spare);
        verdict.input = gather(turn, verdict.unwatched_spare);
        take_advice(turn, &limits, &verdict.input);
        struct scale_state state = turn->scaling->scale;
        verdict.decision = scale_policy_decide(&limits, &verdict.input, &turn->scaling->scale);
        if (limits.max_workers < wide.max_workers)
                verdict.missing = scale_policy_decide(&wide, &verdict.input, &state).start - verdict.decision.start;
        return verdict;
}

bool scaling_asks_pressure(const struct turn *turn)
{
        struct scaling_state state = *turn->scaling;
        struct turn probe = *turn;

        probe.scaling = &state;
        for (size_t i = 0; i < PRESSURE_RESOURCE_COUNT; i++)
                probe.pressure[i] = (struct pressure_now){0};
        return pressure_limit_applies(turn) && (state.pressure.holds || judge(&probe).decision.start > 0);
}

void scaling_note_waiting(struct turn *turn)
{
        const struct scale_input input = gather(turn, 0);
        unsigned there = turn->rows.counts.processes_all, threads = pool_config_threads(turn->config);
        unsigned room = there < turn->process_limit ? turn->process_limit - there : 0;
        unsigned wants = MIN_OF(scale_policy_wants(&turn->limits, &input), room - room % threads);

        wants = MIN_OF(wants, pressure_limit_room(turn, input.total));
        if (turn->is_deaf || (turn->config->scaling != SCALING_STATIC && somebody_begins(turn)))
                wants = 0;
        waiting_follow(&turn->scaling->waiting, turn->now_ms, wants, turn->queued, turn->accepted);
}

void scaling_decide(struct turn *turn)
{
        struct verdict verdict = judge(turn);
        const struct scale_input input = verdict.input;
        struct scale_decision decision = verdict.decision;
        const unsigned threads = MAX_OF(turn->limits.unit, 1U);

        total_limit_spare_woken(turn, &decision);
        pressure_limit_note(turn, input.total + decision.start, verdict.missing);
        const struct launch launch = {
                .purpose = WORKER_SERVE, .count = decision.start / threads, .reason = "scale", .why = decision.reason};

        follow_saturation(turn, &decision, &input);
        keep_refuser(turn, &decision, &input);
        unsigned launched = turn_launch(turn, &launch);
        /* start_workers applies until all of them have been launched. */
        turn->scaling->started |= input.may_fork && launched == launch.count;
        if (decision.retire > 0) {
                char of_threads[32] = "";
                if (threads > 1)
                        snprintf(of_threads, sizeof(of_threads), " of %u threads", threads);
                bool is_given = turn->grant.give > 0 && decision.retire_any;
                turn_record(turn, ORDER_RECORD, LOG_INFO, "-%u worker%s%s (%s)", decision.retire / threads,
                            decision.retire == threads ? "" : "s", of_threads,
                            is_given ? "max_workers_total: another pool waits" : decision.reason);
                retire(turn, &decision);
        }
        total_limit_give_back(turn, decision.retire);
        unsigned left = input.total - MIN_OF(decision.retire, input.total);
        retire_stopped(turn, left - MIN_OF((unsigned)turn->limits.max_workers, left));
        pressure_limit_end(turn, left + launched * threads, verdict.missing, decision.retire);
        publish(turn, &decision, &verdict);
        ask_again(turn, &decision, &verdict.view);
}
