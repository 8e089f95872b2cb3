/* long: a row for every member of pools, listeners and workers, and both directions of each */
#include "master/pool/pool_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"
#include "master/pool/board_state.h"
#include "master/pool/launcher.h"
#include "master/pool/pool.h"
#include "master/pool/pool_fallback.h"
#include "master/pool/pool_orders.h"
#include "master/pool/tallies.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"
#include "master/pool/worker_table.h"
#include "os/activation.h"

static const struct field pool_fields[] = {
        DERIVED(struct pool, runtime, "set by the reader"),
        DERIVED(struct pool, launcher, "the runtime's"),
        WRITTEN(struct pool, name, "name"),
        DERIVED(struct pool, config, "the configured one, the overlay's, or the lesser"),
        DERIVED(struct pool, lesser, "made anew from the fallback"),
        WRITTEN(struct pool, own_config, "config"),
        DERIVED(struct pool, configured, "own_config, or the one of its name"),
        WRITTEN(struct pool, overlay.values, "overlay"),
        FIELD(struct pool, overlay.max_workers_shift, "max_workers_shift"),
        DERIVED(struct pool, overlay.limits, "made anew from the values and the shift"),
        FIELD(struct pool, generation, "generation"),
        WRITTEN(struct pool, mode, "mode"),
        WRITTEN(struct pool, wanted, "wanted"),
        FIELD(struct pool, draining, "draining"),
        WRITTEN(struct pool, listeners, "listeners"),
        WRITTEN(struct pool, closing, "closing"),
        FIELD(struct pool, listening.state.attempts.failures, "listen_failures"),
        FIELD(struct pool, listening.state.attempts.not_before_ms, "listen_not_before_ms"),
        FIELD(struct pool, listening.state.attempts.shortest_ms, "listen_shortest_ms"),
        FIELD(struct pool, listening.state.attempts.succeeded, "listen_succeeded"),
        DERIVED(struct pool, listening.state.attempts.excused, "not used"),
        FIELD(struct pool, listening.state.look_again, "look_again"),
        WRITTEN(struct pool, listening.missing, "missing"),
        DERIVED(struct pool, listening.look, "the first turn looks"),
        DERIVED(struct pool, listening.hangups, "made anew"),
        DERIVED(struct pool, timer, "made anew, and set by the first turn"),
        DERIVED(struct pool, touched, "pool_start() begins with a turn"),
        WRITTEN(struct pool, boards.items, "boards"),
        DERIVED(struct pool, boards.count, "the number of items"),
        WRITTEN(struct pool, wake.read_fd, "wake"),
        WRITTEN(struct pool, wake.write_fd, "wake_write"),
        DERIVED(struct pool, wake.watch, "made anew"),
        DERIVED(struct pool, wake.pause, "made anew; the first wake-ups are a burst"),
        DERIVED(struct pool, wake.limit, "begins anew"),
        DERIVED(struct pool, wake.paused, "begins anew"),
        DERIVED(struct pool, wake.noted, "the first turn sees it"),
        DERIVED(struct pool, wake.storm, "begins anew"),
        DERIVED(struct pool, wake.woken, "the pool's"),
        DERIVED(struct pool, wake.told, "the pool's"),
        DERIVED(struct pool, wake.context, "the pool"),
        DERIVED(struct pool, connections.config, "the pool's"),
        DERIVED(struct pool, connections.boards, "the pool's"),
        DERIVED(struct pool, connections.timer, "made anew"),
        DERIVED(struct pool, connections.is_set, "the first turn looks"),
        FIELD(struct pool, connections.dropped, "dropped_records"),
        DERIVED(struct pool, connections.told, "begins anew"),
        DERIVED(struct pool, connections.budget, "begins anew"),
        WRITTEN(struct pool, workers.first, "workers"),
        DERIVED(struct pool, workers.count, "the number of workers"),
        DERIVED(struct pool, templates, "ended before; the next program starts its own"),
        DERIVED(struct pool, workers.slots, "taken for the workers that are read"),
        WRITTEN(struct pool, workers.tallies, "tally"),
        DERIVED(struct pool, workers.tally_count, "as many as the highest slot needs"),
        FIELD(struct pool, scaler.scale.shrink_at_ms, "shrink_at_ms"),
        FIELD(struct pool, scaler.scale.relief_at_ms, "relief_at_ms"),
        FIELD(struct pool, scaler.scale.saturated, "saturated"),
        DERIVED(struct pool, scaler.occupancy.phase, "looked at anew"),
        DERIVED(struct pool, scaler.occupancy.look_at_ms, "looked at anew"),
        DERIVED(struct pool, scaler.occupancy.full_since_ms, "looked at anew"),
        DERIVED(struct pool, scaler.occupancy.was_full, "looked at anew"),
        DERIVED(struct pool, scaler.occupancy.pause_ms, "looked at anew"),
        DERIVED(struct pool, scaler.occupancy.first_ms, "looked at anew"),
        DERIVED(struct pool, scaler.occupancy.low_water, "looked at anew"),
        DERIVED(struct pool, scaler.adaptive, "counted anew"),
        FIELD(struct pool, scaler.started, "started"),
        FIELD(struct pool, scaler.saturation_told, "saturation_told"),
        FIELD(struct pool, scaler.told_since_ms, "saturation_told_since_ms"),
        FIELD(struct pool, scaler.refused_before, "refused_before"),
        DERIVED(struct pool, scaler.waiting.wants, "looked at anew"),
        FIELD(struct pool, scaler.waiting.begun_ms, "waiting_begun_ms"),
        FIELD(struct pool, scaler.waiting.since_ms, "waiting_since_ms"),
        DERIVED(struct pool, scaler.waiting.mark_ms, "marked anew"),
        DERIVED(struct pool, scaler.waiting.mark_count, "marked anew"),
        DERIVED(struct pool, scaler.waiting.accepted, "marked anew"),
        DERIVED(struct pool, scaler.pressure, "measured anew"),
        DERIVED(struct pool, reporting_seen, "looked at anew"),
        DERIVED(struct pool, budget, "noted by pool_start()"),
        DERIVED(struct pool, starts, "measured anew"),
        FIELD(struct pool, health.backoff.failures, "start_failures"),
        FIELD(struct pool, health.backoff.not_before_ms, "start_not_before_ms"),
        FIELD(struct pool, health.backoff.shortest_ms, "start_shortest_ms"),
        FIELD(struct pool, health.backoff.succeeded, "succeeded"),
        FIELD(struct pool, health.backoff.excused.spent, "excused_spent"),
        FIELD(struct pool, health.backoff.excused.at_ms, "excused_at_ms"),
        FIELD(struct pool, health.requests_seen, "requests_seen"),
        FIELD(struct pool, health.launch_failing, "launch_failing"),
        FIELD(struct pool, health.told_stage, "told_stage"),
        FIELD(struct pool, health.told_error, "told_error"),
        FIELD(struct pool, fallback.start_cause, "start_cause"),
        FIELD(struct pool, fallback.start_method, "start_method"),
        FIELD(struct pool, fallback.copy_cause, "copy_cause"),
        DERIVED(struct pool, fallback.ends, "begins anew"),
        DERIVED(struct pool, fallback_told, "the former program has said it"),
        WRITTEN(struct pool, counters.sums, "totals"),
        WRITTEN(struct pool, counters.gone, "gone"),
        DERIVED(struct pool, counters.present, "added up from the tallies"),
        WRITTEN(struct pool, counters.rate, "rate"),
        DERIVED(struct pool, counters.load, "begins anew"),
        WRITTEN(struct pool, counters.history, "history"),
        FIELD(struct pool, counters.peaks.since_ms, "peaks_since_ms"),
        FIELD(struct pool, counters.peaks.busy, "peak_busy"),
        FIELD(struct pool, counters.peaks.queued, "peak_queued"),
        FIELD(struct pool, counters.peaks.demand, "peak_demand"),
        DERIVED(struct pool, counters.peaks.reporting, "looked at anew"),
        DERIVED(struct pool, counters.peaks.low_water, "looked at anew"),
        WRITTEN(struct pool, decisions, "decisions"),
        DERIVED(struct pool, turn, "every turn begins with a snapshot"),
};

static const struct field gone_fields[] = {
        FIELD_ARRAY(struct pool_gone, durations, "durations"),
        FIELD_ARRAY(struct pool_gone, waits, "waits"),
        FIELD_ARRAY(struct pool_gone, requests, "requests"),
        FIELD_ARRAY(struct pool_gone, cpu_ms, "cpu_ms"),
        FIELD(struct pool_gone, count, "count"),
};

static const struct field history_fields[] = {
        FIELD_ARRAY(struct history, until_ms, "until_ms"),
        FIELD_ARRAY(struct history, busy, "busy"),
        FIELD_ARRAY(struct history, idle, "idle"),
        FIELD_ARRAY(struct history, starting, "starting"),
        FIELD_ARRAY(struct history, unwatched, "unwatched"),
        FIELD_ARRAY(struct history, requests, "requests"),
        FIELD_ARRAY(struct history, queue, "queue"),
        FIELD(struct history, count, "count"),
        FIELD(struct history, begun_ms, "begun_ms"),
        FIELD(struct history, open.since_ms, "since_ms"),
        FIELD(struct history, open.begun.busy_ns, "begun_busy_ns"),
        FIELD(struct history, open.begun.requests, "begun_requests"),
        FIELD(struct history, open.starting_ms, "starting_ms"),
        FIELD(struct history, open.unwatched_ms, "unwatched_ms"),
        FIELD(struct history, open.total_ms, "total_ms"),
        FIELD(struct history, open.seen_ms, "seen_ms"),
        FIELD(struct history, open.seen.starting, "seen_starting"),
        FIELD(struct history, open.seen.unwatched, "seen_unwatched"),
        FIELD(struct history, open.seen.total, "seen_total"),
        FIELD(struct history, open.seen.queue, "seen_queue"),
};

static const struct field listener_fields[] = {
        WRITTEN(struct listener_set, items, "listeners"),
        DERIVED(struct listener_set, count, "the number of items"),
        WRITTEN(struct pool_listener, name, "name"),
        WRITTEN(struct pool_listener, listener.fd, "fd"),
        WRITTEN(struct pool_listener, listener.origin, "origin"),
        DERIVED(struct pool_listener, listener.address, "parsed from the name or read from the socket"),
        FIELD(struct pool_listener, listener.file.device, "device"),
        FIELD(struct pool_listener, listener.file.inode, "inode"),
        FIELD(struct pool_listener, listener.replaced, "replaced"),
        FIELD(struct pool_listener, listener.filtered, "filtered"),
        WRITTEN(struct pool_listener, listener.decoy_fd, "decoy"),
        FIELD(struct pool_listener, listener.effective_backlog, "effective_backlog"),
        DERIVED(struct pool_listener, dead, "seen again"),
        DERIVED(struct pool_listener, unusual, "a rare oddity of the system; the listener is replaced once"),
        DERIVED(struct pool_listener, damage, "seen again at a restart"),
        DERIVED(struct pool_listener, hopeless, "found out again"),
        FIELD(struct pool_listener, error, "error"),
        DERIVED(struct pool_listener, watch, "made anew when no worker is idle"),
        FIELD(struct pool_listener, since_generation, "since_generation"),
        FIELD(struct pool_listener, drain_generation, "drain_generation"),
        FIELD(struct pool_listener, closing_since_ms, "closing_since_ms"),
        FIELD(struct pool_listener, waited_ms, "waited_ms"),
        FIELD(struct pool_listener, emptied_ms, "emptied_ms"),
        FIELD(struct pool_listener, failed_helpers, "failed_helpers"),
        FIELD(struct pool_listener, drained_at, "drained_at"),
};

static const struct field worker_fields[] = {
        DERIVED(struct worker, pool, "set by the reader"),
        DERIVED(struct worker, next, "the order of the list"),
        DERIVED(struct worker, link, "the order of the list"),
        FIELD(struct worker, pid, "pid"),
        WRITTEN(struct worker, purpose, "purpose"),
        WRITTEN(struct worker, life.state, "state"),
        FIELD(struct worker, life.retired, "retired"),
        FIELD(struct worker, life.since_ms, "since_ms"),
        WRITTEN(struct worker, board, "board"),
        FIELD(struct worker, slot, "slot"),
        FIELD(struct worker, slots, "slots"),
        FIELD(struct worker, stopped, "stopped"),
        FIELD(struct worker, stop_told, "stop_told"),
        FIELD(struct worker, generation, "generation"),
        FIELD(struct worker, is_program, "is_program"),
        FIELD(struct worker, unwatched, "unwatched"),
        FIELD(struct worker, at_launch.waiting, "waiting_at_launch"),
        FIELD(struct worker, at_launch.first, "first_at_launch"),
        FIELD(struct worker, retire_signal, "retire_signal"),
        FIELD(struct worker, listener_shut, "listener_shut"),
        WRITTEN(struct worker, recycling, "recycling"),
        WRITTEN(struct worker, replacement, "replacement"),
        DERIVED(struct worker, replaces, "points back"),
        DERIVED(struct worker, reason, "logged at the launch"),
        DERIVED(struct worker, output, "known during the launch only"),
        DERIVED(struct worker, status_fd, "owned by status_links after the launch"),
        DERIVED(struct worker, log_source_fd, "owned by the log process after the launch"),
        FIELD(struct worker, requests_at_fork, "requests_at_fork"),
        FIELD(struct worker, forked_ms, "forked_ms"),
        FIELD(struct worker, escalated_request, "escalated_request"),
        FIELD(struct worker, escalated_thread, "escalated_thread"),
        FIELD(struct worker, slow_request, "slow_request"),
        FIELD(struct worker, slow_thread, "slow_thread"),
        DERIVED(struct worker, row, "of a snapshot"),
};

static const struct field decision_fields[] = {
        FIELD(struct decision, time_ms, "time_ms"),
        DERIVED(struct decision, number, "its place in the list"),
        FIELD(struct decision, of_template, "of_template"),
        WRITTEN(struct decision, text, "text"),
        WRITTEN(struct decision_ring, items, "decisions"),
        DERIVED(struct decision_ring, of_templates, "among the items, which say so"),
        DERIVED(struct decision_ring, count, "the number of items"),
        DERIVED(struct decision_ring, template_count, "the number of items"),
        WRITTEN(struct request_rate, samples, "rate"),
        DERIVED(struct request_rate, count, "the number of samples"),
        DERIVED(struct load, samples, "begins anew"),
        DERIVED(struct load, count, "begins anew"),
};

/* Enums are written as words, because their numbers may change between versions. */
static const char *const origin_names[] = {
        [LISTENER_OWN] = "own", [LISTENER_STORED] = "stored", [LISTENER_ACTIVATED] = "activated"};
static const char *const mode_names[] = {[POOL_OPEN] = "open", [POOL_CLOSING] = "closing", [POOL_ENDING] = "ending"};
static_assert(ELEMENTS(mode_names) == POOL_MODE_COUNT, "a mode without a name");
static const char *const wanted_names[] = {[POOL_SERVING] = "serving", [POOL_PAUSED] = "paused"};
static_assert(ELEMENTS(wanted_names) == POOL_WANTED_COUNT, "what is wanted without a name");
static const char *const recycling_names[] = {
        [RECYCLE_NONE] = "none", [RECYCLE_REPLACING] = "replacing", [RECYCLE_LET_GO] = "let go"};
static_assert(ELEMENTS(recycling_names) == RECYCLE_PROGRESS_COUNT, "a progress without a name");

/* Writing. */

static json_t *write_listener(const struct pool_listener *item, struct state_file *file)
{
        json_t *object = state_file_fields(listener_fields, ELEMENTS(listener_fields), item);
        int r = state_file_set(object, "name", state_file_string(item->name));

        if (r == 0)
                r = state_file_set(object, "origin", state_file_string(origin_names[item->listener.origin]));
        if (r == 0)
                r = state_file_set(object, "fd", state_file_descriptor(file, item->listener.fd));
        if (r == 0 && item->listener.decoy_fd >= 0)
                r = state_file_set(object, "decoy", state_file_descriptor(file, item->listener.decoy_fd));
        return state_file_finish(object, r);
}

static json_t *write_listeners(const struct listener_set *set, struct state_file *file)
{
        json_t *array = json_array();
        int r = 0;

        for (size_t i = 0; r == 0 && i < set->count; i++)
                r = state_file_append(array, write_listener(&set->items[i], file));
        return state_file_finish(array, r);
}

static json_t *write_missing(const struct listener_set *set)
{
        json_t *array = json_array();
        int r = 0;

        for (size_t i = 0; r == 0 && i < set->count; i++) {
                json_t *object = state_file_fields(listener_fields, ELEMENTS(listener_fields), &set->items[i]);
                r = state_file_set(object, "name", state_file_string(set->items[i].name));
                r = state_file_append(array, state_file_finish(object, r));
        }
        return state_file_finish(array, r);
}

/* Those of its slots but the first. */
static json_t *write_more_tallies(const struct worker *worker)
{
        json_t *array = json_array();
        int r = 0;

        for (uint32_t i = 1; i < worker->slots && r == 0; i++)
                r = state_file_append(array, tally_state_write(worker_tally(worker, i)));
        return state_file_finish(array, r);
}

static json_t *write_worker(const struct worker *worker)
{
        json_t *object = state_file_fields(worker_fields, ELEMENTS(worker_fields), worker);
        int r = state_file_set(object, "purpose", state_file_string(worker_purpose_name(worker->purpose)));

        if (r == 0)
                r = state_file_set(object, "state", state_file_string(worker_life_state_name(worker->life.state)));
        if (r == 0)
                r = state_file_set(object, "recycling", state_file_string(recycling_names[worker->recycling]));
        if (r == 0)
                r = state_file_set(object, "board",
                                   json_integer(board_state_number(&worker->pool->boards, worker->board)));
        if (r == 0)
                r = state_file_set(object, "tally", tally_state_write(worker_tally(worker, 0)));
        if (r == 0 && worker->slots > 1)
                r = state_file_set(object, "tallies", write_more_tallies(worker));
        if (r == 0 && worker->replacement && worker->replacement->pid > 0)
                r = state_file_set(object, "replacement", json_integer(worker->replacement->pid));
        return state_file_finish(object, r);
}

static json_t *write_workers(const struct pool *pool)
{
        json_t *array = json_array();
        int r = 0;

        /* Those without a process wait for a template, and are launched again. */
        for (const struct worker *worker = pool->workers.first; r == 0 && worker; worker = worker->next)
                if (worker->pid > 0)
                        r = state_file_append(array, write_worker(worker));
        return state_file_finish(array, r);
}

static json_t *write_decision(const struct decision *decision)
{
        json_t *object = state_file_fields(decision_fields, ELEMENTS(decision_fields), decision);

        return state_file_finish(object, state_file_set(object, "text", state_file_string(decision->text)));
}

/* Oldest first. */
static json_t *write_decisions(const struct decision_ring *ring)
{
        json_t *array = json_array();
        int r = 0;

        for (size_t age = decision_ring_length(ring); r == 0 && age-- > 0;)
                r = state_file_append(array, write_decision(decision_ring_at(ring, age)));
        return state_file_finish(array, r);
}

/* Pairs of a time and a number of requests, oldest first. */
static json_t *write_rate(const struct request_rate *rate)
{
        uint64_t kept = MIN_OF(rate->count, (uint64_t)REQUEST_RATE_SAMPLES);
        json_t *array = json_array();
        int r = 0;

        for (uint64_t at = rate->count - kept; r == 0 && at < rate->count; at++) {
                uint64_t time_ms = rate->samples[at % REQUEST_RATE_SAMPLES].time_ms;
                uint64_t requests = rate->samples[at % REQUEST_RATE_SAMPLES].requests;
                r = state_file_append(array, json_pack("[I, I]", (json_int_t)time_ms, (json_int_t)requests));
        }
        return state_file_finish(array, r);
}

/* A closing pool has a configuration of its own, written with the present options of the master. The control socket is
 * left out, because it may have the path of one of the pool's listeners. */
static json_t *write_own_config(const struct pool *pool, const struct master_config *master)
{
        struct pool_config *pools[] = {pool->own_config};
        struct config alone = {.master = *master, .pools = pools, .pool_count = 1};
        _cleanup_(text_clear) struct text text = {0};

        alone.master.control = NULL;
        return config_print(&alone, true, &text) == 0 ? state_file_string(text_string(&text)) : NULL;
}

static json_t *write_overlay(const struct overlay *overlay)
{
        _cleanup_(text_clear) struct text text = {0};

        return overlay_print(overlay, &text) == 0 ? state_file_string(text_string(&text)) : NULL;
}

static int write_counters(json_t *object, const struct pool_counters *counters)
{
        int r = state_file_set(object, "totals", counters_state_write(&counters->sums));

        if (r == 0)
                r = state_file_set(object, "gone",
                                   state_file_fields(gone_fields, ELEMENTS(gone_fields), &counters->gone));
        if (r == 0)
                r = state_file_set(object, "rate", write_rate(&counters->rate));
        if (r == 0)
                r = state_file_set(object, "history",
                                   state_file_fields(history_fields, ELEMENTS(history_fields), &counters->history));
        return r;
}

json_t *pool_state_write(const struct pool *pool, const struct master_config *master, struct state_file *file)
{
        json_t *object = state_file_fields(pool_fields, ELEMENTS(pool_fields), pool);

        int r = state_file_set(object, "name", state_file_string(pool->name));
        if (r == 0)
                r = state_file_set(object, "mode", state_file_string(mode_names[pool->mode]));
        if (r == 0)
                r = state_file_set(object, "wanted", state_file_string(wanted_names[pool->wanted]));
        if (r == 0 && pool->own_config)
                r = state_file_set(object, "config", write_own_config(pool, master));
        if (r == 0)
                r = state_file_set(object, "overlay", write_overlay(&pool->overlay));
        if (r == 0)
                r = state_file_set(object, "board", state_file_descriptor(file, boards_present(&pool->boards)->fd));
        if (r == 0) /* workers can write anything into the header */
                r = state_file_set(object, "board_layout", json_integer(PREFORK_SCOREBOARD_VERSION));
        if (r == 0)
                r = state_file_set(object, "boards", board_state_write(&pool->boards, file));
        if (r == 0)
                r = state_file_set(object, "wake", state_file_descriptor(file, pool->wake.read_fd));
        if (r == 0)
                r = state_file_set(object, "wake_write", state_file_descriptor(file, pool->wake.write_fd));
        if (r == 0)
                r = state_file_set(object, "listeners", write_listeners(&pool->listeners, file));
        if (r == 0)
                r = state_file_set(object, "closing", write_listeners(&pool->closing, file));
        if (r == 0)
                r = state_file_set(object, "missing", write_missing(&pool->listening.missing));
        if (r == 0)
                r = state_file_set(object, "workers", write_workers(pool));
        if (r == 0)
                r = write_counters(object, &pool->counters);
        if (r == 0)
                r = state_file_set(object, "decisions", write_decisions(&pool->decisions));
        return state_file_finish(object, r);
}

/* Reading. */

static int read_listener(struct state_file *file, const json_t *object, struct pool_listener *item)
{
        struct listener *listener = &item->listener;
        unsigned origin;
        int r = state_file_read_string(file, object, "name", &item->name);

        if (r == 0)
                r = state_file_read_word(file, object, "origin", origin_names, ELEMENTS(origin_names), &origin);
        if (r == 0)
                r = state_file_read_fields(file, listener_fields, ELEMENTS(listener_fields), object, item);
        if (r == 0)
                r = state_file_take_descriptor(file, object, "fd", &listener->fd);
        if (r == 0 && json_object_get(object, "decoy"))
                r = state_file_take_descriptor(file, object, "decoy", &listener->decoy_fd);
        if (r != 0)
                return r;
        listener->origin = (enum listener_origin)origin;
        /* The name is the address, unless it names a socket unit or an interface that no longer exists. */
        if (address_parse(item->name, &listener->address) < 0)
                r = activation_examine(listener->fd, &listener->address);
        /* One that a worker has shut down must not prevent an upgrade. */
        return r == 0 || r == -EINVAL ? 0 : state_file_fail(file, "%s is no listening socket", item->name);
}

/* Closes nothing on failure: the sockets are in service. */
static int read_listeners(struct state_file *file, const json_t *array, struct listener_set *set)
{
        for (size_t i = 0; i < json_array_size(array); i++) {
                struct pool_listener item = {.listener = {.fd = -1, .decoy_fd = -1}};
                int r = read_listener(file, json_array_get(array, i), &item);
                if (r == 0)
                        r = listener_set_reserve(set, 1);
                if (r < 0) {
                        free(item.name);
                        return r;
                }
                set->items[set->count++] = item;
        }
        return 0;
}

static int read_missing(struct state_file *file, const json_t *array, struct listener_set *set)
{
        int r = listener_set_reserve(set, json_array_size(array));

        for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
                const json_t *object = json_array_get(array, i);
                char *name = NULL;
                r = state_file_read_string(file, object, "name", &name);
                if (r < 0)
                        return r;
                listener_set_add_missing(set, name, 0);
                struct pool_listener *item = &set->items[set->count - 1];
                r = state_file_read_fields(file, listener_fields, ELEMENTS(listener_fields), object, item);
        }
        return r;
}

/* What is believed of its slots. An older program did not keep a tally: everything is counted that the slot says. */
static int read_tallies(struct state_file *file, const json_t *object, struct worker *worker)
{
        const json_t *more = json_object_get(object, "tallies");
        int r = 0;

        for (uint32_t i = 0; i < worker->slots && r == 0; i++) {
                struct tally tally = {.since_ms = worker->forked_ms, .looked_ms = worker->forked_ms};
                const json_t *of_slot = i == 0 ? state_file_object(object, "tally") : json_array_get(more, i - 1);
                r = tally_state_read(file, of_slot, &tally);
                *worker_tally(worker, i) = tally;
        }
        if (r == 0)
                tallies_adopt(worker);
        return r;
}

static int read_worker(struct state_file *file, const json_t *object, struct pool *pool)
{
        struct worker worker = {.slots = 1, .board = board_state_find(&pool->boards, json_object_get(object, "board"))};
        const char *states[WORKER_STATE_COUNT], *purposes[WORKER_PURPOSE_COUNT];
        unsigned purpose, state, recycling;

        for (int i = 0; i < WORKER_STATE_COUNT; i++)
                states[i] = worker_life_state_name((enum worker_state)i);
        for (int i = 0; i < WORKER_PURPOSE_COUNT; i++)
                purposes[i] = worker_purpose_name((enum worker_purpose)i);
        int r = state_file_read_fields(file, worker_fields, ELEMENTS(worker_fields), object, &worker);
        if (r == 0)
                r = state_file_read_word(file, object, "purpose", purposes, ELEMENTS(purposes), &purpose);
        if (r == 0)
                r = state_file_read_word(file, object, "state", states, ELEMENTS(states), &state);
        if (r == 0)
                r = state_file_read_word(file, object, "recycling", recycling_names, ELEMENTS(recycling_names),
                                         &recycling);
        if (r < 0)
                return r;
        worker.purpose = (enum worker_purpose)purpose;
        worker.life.state = (enum worker_state)state;
        worker.recycling = (enum recycle_progress)recycling;
        bool may_be = worker.pid > 1 && worker.board && worker.slots > 0 && worker.escalated_thread < worker.slots;
        r = may_be ? launcher_adopt(pool, &worker) : -EINVAL;
        if (r == 0)
                r = read_tallies(file, object, pool->workers.first); /* each new worker is first in the list */
        return r == -EINVAL ? state_file_fail(file, "worker %d in slot %u cannot be", worker.pid, worker.slot) : r;
}

static struct worker *find_worker(const struct pool *pool, const json_t *object, const char *member)
{
        return worker_table_find(pool, (pid_t)json_integer_value(json_object_get(object, member)));
}

static int read_workers(struct state_file *file, const json_t *array, struct pool *pool)
{
        /* Each worker is added at the front, so begin with the last. */
        for (size_t i = json_array_size(array); i-- > 0;) {
                int r = read_worker(file, json_array_get(array, i), pool);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *object = json_array_get(array, i);
                if (!json_object_get(object, "replacement"))
                        continue;
                struct worker *worker = find_worker(pool, object, "pid");
                struct worker *other = find_worker(pool, object, "replacement");
                if (worker && other && other != worker && !other->replaces)
                        worker_set_replacement(worker, other);
        }
        return 0;
}

static int read_decisions(struct state_file *file, const json_t *array, struct decision_ring *ring)
{
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *object = json_array_get(array, i);
                _cleanup_(text_clear) struct text text = {0};
                struct decision decision = {0};
                int r = state_file_read_fields(file, decision_fields, ELEMENTS(decision_fields), object, &decision);
                if (r == 0)
                        r = state_file_read_bytes(file, object, "text", &text);
                if (r < 0)
                        return r;
                (decision.of_template ? decision_ring_add_template : decision_ring_add)(ring, decision.time_ms, "%s",
                                                                                        text_string(&text));
        }
        return 0;
}

static void read_rate(const json_t *array, struct request_rate *rate)
{
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *pair = json_array_get(array, i);
                request_rate_note(rate, (uint64_t)json_integer_value(json_array_get(pair, 0)),
                                  (uint64_t)json_integer_value(json_array_get(pair, 1)));
        }
}

static int read_own_config(const struct pool_state_context *context, struct state_file *file, const json_t *object,
                           const char *name, struct pool_config **ret)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};
        struct config *config = NULL;

        int r = state_file_read_bytes(file, object, "config", &text);
        if (r == 0)
                r = config_from_canonical(text_string(&text), text.length, &context->rules, &config, &problems);
        if (r < 0)
                return r;
        if (!config)
                return state_file_fail_with(file, &problems);
        *ret = config_take_pool(config, name);
        config_clear(config);
        free(config);
        return *ret ? 0 : state_file_fail(file, "pool %s is not in its configuration", name);
}

/* The configuration is read first, because everything else refers to it. */
static int open_pool(const struct pool_state_context *context, struct state_file *file, const json_t *object,
                     struct pool **ret)
{
        _cleanup_(freep) char *name = NULL;
        struct pool_config *own_config = NULL;
        struct pool_fds fds = {.board = -1, .wake_read = -1, .wake_write = -1};

        int r = state_file_read_string(file, object, "name", &name);
        if (r == 0 && json_integer_value(json_object_get(object, "board_layout")) != PREFORK_SCOREBOARD_VERSION)
                r = state_file_fail(file, "pool %s has a scoreboard of another version", name);
        if (r == 0 && json_object_get(object, "config"))
                r = read_own_config(context, file, object, name, &own_config);
        if (r < 0)
                return r;
        const struct pool_config *config = own_config ? own_config : config_find_pool(context->config, name);
        r = config ? state_file_take_descriptor(file, object, "board", &fds.board)
                   : state_file_fail(file, "pool %s has no configuration", name);
        if (r == 0)
                r = state_file_take_descriptor(file, object, "wake", &fds.wake_read);
        if (r == 0)
                r = state_file_take_descriptor(file, object, "wake_write", &fds.wake_write);
        if (r == 0)
                r = pool_adopt(context->runtime, config, &fds, ret);
        if (r == 0)
                (*ret)->own_config = own_config;
        return r == -EPROTO ? state_file_fail(file, "pool %s has a scoreboard of another version", name) : r;
}

/* The shift was read with the other fields. */
static int read_overlay(struct state_file *file, const json_t *object, struct pool *pool)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};
        struct overlay overlay;

        int r = state_file_read_bytes(file, object, "overlay", &text);
        if (r == 0)
                r = overlay_parse(text_string(&text), pool->overlay.max_workers_shift, pool->configured, &overlay,
                                  &problems);
        if (r == 0)
                pool_set_overlay(pool, &overlay);
        return r == -EINVAL ? state_file_fail_with(file, &problems) : r;
}

/* A missing member leaves the value of a new pool. */
static int read_orders(struct state_file *file, const json_t *object, struct pool *pool)
{
        unsigned mode = POOL_OPEN, wanted = POOL_SERVING;
        int r = 0;

        if (json_object_get(object, "mode"))
                r = state_file_read_word(file, object, "mode", mode_names, ELEMENTS(mode_names), &mode);
        if (r == 0 && json_object_get(object, "wanted"))
                r = state_file_read_word(file, object, "wanted", wanted_names, ELEMENTS(wanted_names), &wanted);
        if (r == 0)
                pool_orders_adopt(pool, (enum pool_mode)mode, (enum pool_wanted)wanted);
        return r;
}

static int read_counters(struct state_file *file, const json_t *object, struct pool_counters *counters)
{
        int r = counters_state_read(file, state_file_object(object, "totals"), &counters->sums);

        if (r == 0)
                r = state_file_read_fields(file, gone_fields, ELEMENTS(gone_fields), state_file_object(object, "gone"),
                                           &counters->gone);
        if (r == 0)
                r = state_file_read_fields(file, history_fields, ELEMENTS(history_fields),
                                           state_file_object(object, "history"), &counters->history);
        if (r == 0)
                read_rate(state_file_array(object, "rate"), &counters->rate);
        return r;
}

int pool_state_read(const struct pool_state_context *context, struct state_file *file, const json_t *object,
                    struct pool **ret)
{
        struct pool *pool = NULL;

        int r = open_pool(context, file, object, &pool);
        if (!pool)
                return r;
        r = state_file_read_fields(file, pool_fields, ELEMENTS(pool_fields), object, pool);
        if (r == 0)
                r = board_state_read(file, state_file_array(object, "boards"), &pool->boards);
        if (r == 0)
                r = read_counters(file, object, &pool->counters);
        if (r == 0 && !json_object_get(object, "refused_before")) /* every refusal so far was reported */
                pool->scaler.refused_before = tallies_refused_full(pool);
        if (r == 0)
                r = read_orders(file, object, pool);
        if (r == 0)
                r = read_overlay(file, object, pool);
        if (r == 0)
                r = read_listeners(file, state_file_array(object, "listeners"), &pool->listeners);
        if (r == 0)
                r = read_listeners(file, state_file_array(object, "closing"), &pool->closing);
        if (r == 0)
                r = read_missing(file, state_file_array(object, "missing"), &pool->listening.missing);
        /* Reserve room for drainer_close_listener(). */
        if (r == 0)
                r = listener_set_reserve(&pool->closing, pool->listeners.count);
        if (r == 0)
                r = read_workers(file, state_file_array(object, "workers"), pool);
        if (r == 0)
                r = read_decisions(file, state_file_array(object, "decisions"), &pool->decisions);
        if (r == 0) {
                pool_use_config(pool);
                pool_fallback_adopt(pool);
                *ret = pool;
        }
        return r;
}
