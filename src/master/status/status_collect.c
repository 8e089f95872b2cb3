#include "master/status/status_collect.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/choice.h"
#include "logic/config/print.h"
#include "logic/config/schema.h"
#include "master/pool/health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/pool_fallback.h"
#include "master/pool/pool_history.h"
#include "master/pool/pool_table.h"
#include "master/pool/scaler.h"
#include "master/pool/tallies.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"
#include "master/pool/worker_table.h"
#include "master/status/status_scaling.h"
#include "master/status/status_workers.h"
#include "os/clock.h"
#include "os/process/usage.h"

static void collect_peaks(const struct pool *pool, uint64_t now_ms, struct status_pool *status)
{
        const struct peaks *peaks = &pool->counters.peaks;

        status->peaks.observed_ms = peaks->since_ms > 0 ? now_ms - MIN_OF(peaks->since_ms, now_ms) : 0;
        status->peaks.busy = peaks->busy;
        status->peaks.queued = peaks->queued;
        status->peaks.demand = peaks->demand;
}

/* What many numbers are made of. */
struct look {
        uint64_t now_ms;
        struct worker_counts counts;
        uint64_t busy_ns; /* as tallies_busy_ns() */
};

static struct look look_at(struct pool *pool)
{
        tallies_look(pool);
        uint64_t now_ms = clock_now_ms();
        return (struct look){
                .now_ms = now_ms, .counts = worker_table_count(pool), .busy_ns = tallies_busy_ns(pool, now_ms)};
}

static void collect_totals(const struct pool *pool, const struct look *look, struct status_pool *status)
{
        uint64_t now_ms = look->now_ms;

        status_scaling_collect(pool, look->counts.busy, now_ms, status);
        collect_peaks(pool, now_ms, status);
        status->totals = tallies_totals(pool);
        if (pool->scaler.saturation_told)
                status->totals.saturated_ms += pool_counters_saturated_ms(pool, now_ms);
        for (size_t i = 0; i < REQUEST_DURATION_BUCKETS; i++) {
                status->durations.buckets[i] = pool->counters.gone.durations[i] + pool->counters.present.durations[i];
                status->waits.buckets[i] = pool->counters.gone.waits[i] + pool->counters.present.waits[i];
        }
        status->durations.total_ns = status->totals.busy_ns;
        request_durations_spread_evenly(&status->waits);
        status->times = request_durations_percentiles(&status->durations);
        status->wait_times = request_durations_percentiles(&status->waits);
        status->rate = request_rate_of(&pool->counters.rate, now_ms, status->totals.requests);
        status->busy_average = load_average(&pool->counters.load, now_ms, look->busy_ns, look->counts.busy);
}

static void collect_listener(const struct pool_listener *item, bool closing, struct status_listener *status)
{
        *status = (struct status_listener){.address = item->name,
                                           .backlog = item->listener.effective_backlog,
                                           .closing = closing,
                                           .listening = !item->dead,
                                           .error = item->dead ? "a process that has it has shut it down" : NULL};
        status->queue = listener_set_queue_of(item, &status->queue_known);
}

/* An address without a listener. */
static void collect_missing(const struct pool_listener *item, struct status_listener *status)
{
        *status = (struct status_listener){
                .address = item->name, .queue_known = true, .error = listener_set_error_text(item->error)};
}

static void collect_attempts(const struct pool *pool, uint64_t now_ms, struct status_pool *status)
{
        const struct backoff *attempts = &pool->listening.state.attempts;

        if (pool->listening.missing.count == 0)
                return;
        status->listen_failures = attempts->failures;
        status->next_listen_ms = attempts->not_before_ms - MIN_OF(now_ms, attempts->not_before_ms);
}

static int collect_listeners(const struct pool *pool, struct status_pool *status)
{
        const struct listener_set *missing = &pool->listening.missing;
        size_t most = pool->listeners.count + missing->count + pool->closing.count;

        status->listeners = calloc(most + 1, sizeof(*status->listeners));
        if (!status->listeners)
                return -ENOMEM;
        for (size_t i = 0; i < pool->listeners.count; i++)
                collect_listener(&pool->listeners.items[i], false, &status->listeners[status->listener_count++]);
        for (size_t i = 0; i < missing->count; i++)
                collect_missing(&missing->items[i], &status->listeners[status->listener_count++]);
        for (size_t i = 0; i < pool->closing.count; i++)
                collect_listener(&pool->closing.items[i], true, &status->listeners[status->listener_count++]);
        return 0;
}

/* Add the row of one option; the caller has made room. */
static int collect_overlaid(const struct pool *pool, enum pool_option option, struct status_pool *status)
{
        _cleanup_(text_clear) struct text configured = {0}, overlaid = {0};
        struct status_overlay *row = &status->overlay[status->overlay_count];

        int r = config_print_pool_value(pool->configured, option, &configured);
        if (r == 0)
                r = config_print_pool_value(pool->config, option, &overlaid);
        if (r < 0)
                return r;
        *row = (struct status_overlay){.option = pool_options[option].name,
                                       .configured = text_take(&configured),
                                       .overlaid = text_take(&overlaid)};
        status->overlay_count++;
        return row->configured && row->overlaid ? 0 : -ENOMEM;
}

static int collect_overlay(const struct pool *pool, struct status_pool *status)
{
        int r = 0;

        if (overlay_is_empty(&pool->overlay))
                return 0;
        status->overlay = calloc(POOL_OPTION_COUNT, sizeof(*status->overlay));
        if (!status->overlay)
                return -ENOMEM;
        for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++)
                if (overlay_changes(&pool->overlay, pool->configured, (enum pool_option)i))
                        r = collect_overlaid(pool, (enum pool_option)i, status);
        return r;
}

/* How requests and CPU time are spread over the workers: those that ended last, and the present ones. */
static int collect_spread(const struct pool *pool, struct status_pool *status)
{
        size_t gone = MIN_OF(pool->counters.gone.count, (uint64_t)POOL_GONE_WORKERS_KEPT), count = 0;
        _cleanup_(freep) uint64_t *requests = calloc(gone + pool->workers.count + 1, sizeof(*requests));
        _cleanup_(freep) uint64_t *cpu_ms = calloc(gone + pool->workers.count + 1, sizeof(*cpu_ms));

        if (!requests || !cpu_ms)
                return -ENOMEM;
        for (; count < gone; count++) {
                requests[count] = pool->counters.gone.requests[count];
                cpu_ms[count] = pool->counters.gone.cpu_ms[count];
        }
        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                if (!worker_serves(worker))
                        continue;
                requests[count] = worker_requests(worker);
                for (uint32_t i = 0; i < worker->slots; i++)
                        cpu_ms[count] += worker_tally(worker, i)->counted.counters.handler_cpu_us / 1000;
                count++;
        }
        status->requests_each = request_summary_of(requests, count);
        status->cpu_ms_each = request_summary_of(cpu_ms, count);
        return 0;
}

static struct status_template collect_template(const struct template *template, uint64_t now_ms)
{
        struct process_usage usage = {0};

        process_usage_read(template->pid, &usage);
        return (struct status_template){.pid = template->pid,
                                        .state = template_state_name(template->state),
                                        .generation = template->generation,
                                        .requests = template->requests,
                                        .age_ms = now_ms - MIN_OF(template->started_ms, now_ms),
                                        .since_ms = now_ms - MIN_OF(template->since_ms, now_ms),
                                        .cpu_ms = usage.cpu_ms,
                                        .memory_bytes = usage.resident_bytes};
}

static int collect_templates(const struct pool *pool, uint64_t now_ms, struct status_pool *status)
{
        size_t count = 0;

        for (const struct template *template = pool->templates.first; template; template = template->next)
                count++;
        status->templates = calloc(count + 1, sizeof(*status->templates));
        if (!status->templates)
                return -ENOMEM;
        for (const struct template *template = pool->templates.first; template; template = template->next)
                status->templates[status->template_count++] = collect_template(template, now_ms);
        return 0;
}

static const char *handler_type_name(const struct pool_config *config)
{
        static const char *const names[] = {[HANDLER_INETD] = "inetd",
                                            [HANDLER_LISTENER] = "listener",
                                            [HANDLER_MODULE] = "module",
                                            [HANDLER_BUILTIN] = "builtin"};

        return names[config->handler_type];
}

/* How it is known what the workers do. */
static const char *accounting_name(const struct pool_config *config)
{
        static const char *const names[] = {
                [ACCOUNTING_PRELOAD] = "preload", [ACCOUNTING_API] = "api", [ACCOUNTING_NONE] = "none"};

        return config->handler_type == HANDLER_LISTENER ? names[config->accounting] : "worker";
}

static int collect_choice(const struct pool *pool, enum pool_option option, int configured, int used,
                          struct status_choice *ret)
{
        _cleanup_(text_clear) struct text why = {0}, text = {0};
        int r = pool_fallback_why(pool, option, &why);

        *ret = (struct status_choice){.configured = choice_word(option, configured), .used = choice_word(option, used)};
        if (r < 0 || why.length == 0)
                return r;
        r = choice_explain(pool->config, option, text_string(&why), &text);
        ret->why = r == 0 ? text_take(&text) : NULL;
        return ret->why ? 0 : -ENOMEM;
}

/* Of handlers that are programs; copies are made of those that are loaded once. */
static int collect_choices(const struct pool *pool, struct status_pool *status)
{
        const struct pool_config *config = pool->config;
        int r = 0;

        if (pool_config_uses(config, POOL_START_METHOD))
                r = collect_choice(pool, POOL_START_METHOD, config->start_method, (int)pool_config_start_method(config),
                                   &status->start_method);
        if (r == 0 && pool_config_is_copied(config))
                r = collect_choice(pool, POOL_COPY, config->copy, (int)pool_config_copy(config), &status->copy);
        return r;
}

static enum status_pool_state state_of(const struct pool *pool, bool backing_off)
{
        const struct status_pool_context context = {.closing = pool->mode != POOL_OPEN,
                                                    .paused = pool->wanted == POOL_PAUSED,
                                                    .draining = pool->draining,
                                                    .backing_off = backing_off,
                                                    .not_listening = pool_is_deaf(pool),
                                                    .saturated = pool->scaler.saturation_told};

        return status_pool_state_of(&context);
}

static struct status_counts counts_of(const struct worker_counts *counts)
{
        return (struct status_counts){.starting = counts->starting,
                                      .idle = counts->idle,
                                      .busy = counts->busy,
                                      .unwatched = counts->unwatched,
                                      .throttled = counts->throttled,
                                      .detached = counts->detached,
                                      .retiring = counts->retiring,
                                      .total = counts->total,
                                      .old_total = counts->old_total};
}

/* There on request, as the workers are: both are long. */
static int collect_history(const struct pool *pool, uint64_t now_ms, struct status_pool *status)
{
        status->history = calloc(HISTORY_INTERVALS + 1, sizeof(*status->history));
        if (!status->history)
                return -ENOMEM;
        status->history_count = pool_history_read(pool, now_ms, status->history);
        return 0;
}

/* For later answers. */
static void note(struct pool *pool, const struct look *look, uint64_t requests)
{
        pool_counters_note_rate(pool, look->now_ms, requests);
        pool_counters_note_load(pool, look->now_ms, look->busy_ns);
        pool_history_note(pool, look->now_ms);
}

static int collect_lists(const struct pool *pool, unsigned detail, uint64_t now_ms, struct status_pool *status)
{
        int r = collect_templates(pool, now_ms, status);

        if (r == 0)
                r = collect_listeners(pool, status);
        if (r == 0) /* where the configuration alone does not say what holds */
                r = collect_choices(pool, status);
        if (r == 0)
                r = collect_overlay(pool, status);
        if (r == 0 && (detail & STATUS_WORKERS))
                r = collect_history(pool, now_ms, status);
        if (r == 0 && (detail & STATUS_WORKERS))
                r = status_scaling_collect_concurrency(pool, status);
        if (r == 0 && (detail & STATUS_WORKERS))
                r = status_workers_collect(pool, now_ms, status);
        return r == 0 && (detail & STATUS_SPREAD) ? collect_spread(pool, status) : r;
}

int status_collect_pool(struct pool *pool, unsigned detail, struct status_pool *ret)
{
        const struct look look = look_at(pool);
        uint64_t now_ms = look.now_ms, not_before_ms = pool->health.backoff.not_before_ms;
        bool backing_off = health_is_backing_off(pool, now_ms);
        struct status_pool status = {
                .name = pool->name,
                .state = state_of(pool, backing_off),
                .draining = pool->draining,
                .generation = pool->generation,
                .handler_type = handler_type_name(pool->config),
                .accounting = accounting_name(pool->config),
                .counts = counts_of(&look.counts),
                .refuses = pool->config->when_full == FULL_REFUSE,
                .max_requests = pool->config->max_requests,
                .wants = pool->budget.wants,
                .failures = pool->health.backoff.failures,
                .next_start_ms = backing_off && not_before_ms > now_ms ? not_before_ms - now_ms : 0,
        };

        scaler_note_now(pool, now_ms, &look.counts);
        collect_totals(pool, &look, &status);
        collect_attempts(pool, now_ms, &status);
        int r = collect_lists(pool, detail, now_ms, &status);
        if (r < 0) {
                status_pool_clear(&status);
                return r;
        }
        note(pool, &look, status.totals.requests);
        *ret = status;
        return 0;
}

int status_collect(const struct status_of_daemon *daemon, const struct pool_table *pools, const char *pool_name,
                   unsigned detail, struct status *ret)
{
        struct status status = {
                .version = PREFORKD_VERSION,
                .state = daemon->state,
                .pid = daemon->pid,
                .uptime_ms = clock_now_ms() - daemon->started_ms,
                .started_wall_ms = daemon->started_wall_ms,
                .total = daemon->total,
                .memory_bytes = daemon->memory_bytes,
                .cpus = daemon->cpus,
                .log = daemon->log,
                .config_refused = daemon->config_refused,
                .configured_wall_ms = daemon->configured_wall_ms,
                .upgrades = daemon->upgrades,
                .pools = calloc(pools->count + 1, sizeof(*status.pools)),
        };
        int r = status.pools ? 0 : -ENOMEM;

        for (size_t i = 0; i < pools->count && r == 0; i++) {
                struct pool *pool = pools->items[i];
                if (pool_name && !text_equal(pool->name, pool_name))
                        continue;
                r = status_collect_pool(pool, detail, &status.pools[status.pool_count]);
                if (r == 0)
                        status_add_up(&status, &status.pools[status.pool_count++]);
        }
        if (r < 0) {
                status_clear(&status);
                return r;
        }
        *ret = status;
        return 0;
}
