/* long: THE table of families, and for each what writes its samples */
#include "logic/status/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/status.h"

/* The buckets of the histograms, by their upper bounds in µs as powers of two. Waits are known to the kernel's tick. */
#define DURATIONS_FIRST 4
#define WAITS_FIRST 10
#define BUCKETS_LAST (REQUEST_DURATION_BUCKETS - 2)

/* A family of the table: how it is described, and what writes its samples. */
struct row {
        const char *name; /* after preforkd_ */
        enum metric_type type;
        const char *unit, *labels, *help;
        void (*write)(struct exposition *to);                                      /* of the daemon, or … */
        void (*write_pool)(struct exposition *to, const struct status_pool *pool); /* … of each pool */
};

/* A family of counters that differ in a label. */
static const struct {
        const char *metric, *label, *labels, *help;
} labelled[] = {
        {"worker_starts", "reason", "pool, reason", "workers started, by what for"},
        {"worker_exits", "reason", "pool, reason", "workers that ended, by why"},
        {"requests_refused", "reason", "pool, reason", "connections closed unserved, by why; they are not requests"},
        {"handler_exits", "result", "pool, result", "handlers that did not end well, by how"},
};

static void write_build(struct exposition *to)
{
        exposition_begin_sample(to, "_info", NULL, "version", to->status->version);
        exposition_end_number(to, 1);
}

static void write_start_time(struct exposition *to)
{
        exposition_begin_sample(to, "", NULL, NULL, NULL);
        exposition_end_ms(to, to->status->started_wall_ms);
}

static void write_reload_successful(struct exposition *to)
{
        exposition_begin_sample(to, "", NULL, NULL, NULL);
        exposition_end_number(to, !to->status->config_refused);
}

static void write_reload_time(struct exposition *to)
{
        exposition_begin_sample(to, "", NULL, NULL, NULL);
        exposition_end_ms(to, to->status->configured_wall_ms);
}

static void write_upgrades(struct exposition *to)
{
        exposition_begin_sample(to, "_total", NULL, NULL, NULL);
        exposition_end_number(to, to->status->upgrades);
}

static void write_log_dropped(struct exposition *to)
{
        exposition_begin_sample(to, "_total", NULL, NULL, NULL);
        exposition_end_number(to, to->status->log.dropped);
}

static void write_all_workers(struct exposition *to)
{
        exposition_begin_sample(to, "", NULL, NULL, NULL);
        exposition_end_number(to, to->status->counts.total);
}

static void write_all_workers_max(struct exposition *to)
{
        exposition_begin_sample(to, "", NULL, NULL, NULL);
        exposition_end_number(to, to->status->total.max);
}

static void write_state(struct exposition *to, const struct status_pool *pool)
{
        for (int state = 0; state < STATUS_POOL_STATE_COUNT; state++) {
                exposition_begin_sample(to, "", pool, to->family->name,
                                        status_pool_state_name((enum status_pool_state)state));
                exposition_end_number(to, (int)pool->state == state);
        }
}

static void write_saturated(struct exposition *to, const struct status_pool *pool)
{
        exposition_begin_sample(to, "", pool, NULL, NULL);
        exposition_end_number(to, pool->state == STATUS_POOL_SATURATED);
}

static void write_held_back(struct exposition *to, const struct status_pool *pool)
{
        exposition_begin_sample(to, "", pool, NULL, NULL);
        exposition_end_number(to, pool->pressure.held);
}

static void write_workers(struct exposition *to, const struct status_pool *pool)
{
        const struct {
                const char *state;
                unsigned count;
        } states[] = {{"starting", pool->counts.starting}, {"idle", pool->counts.idle},
                      {"busy", pool->counts.busy},         {"unwatched", pool->counts.unwatched},
                      {"detached", pool->counts.detached}, {"retiring", pool->counts.retiring}};

        for (size_t i = 0; i < ELEMENTS(states); i++) {
                exposition_begin_sample(to, "", pool, "state", states[i].state);
                exposition_end_number(to, states[i].count);
        }
}

static void write_number(struct exposition *to, const struct status_pool *pool, uint64_t number)
{
        exposition_begin_sample(to, "", pool, NULL, NULL);
        exposition_end_number(to, number);
}

static void write_workers_max(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, pool->limits.max_workers);
}

static void write_spare_min(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, pool->limits.min_spare);
}

static void write_spare_max(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, pool->limits.max_spare);
}

static void write_wanted(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, pool->wants);
}

static void write_available(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, status_pool_available(to->status, pool));
}

static void write_busy_max(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, pool->peaks.busy);
}

static void write_queue_max(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, pool->peaks.queued);
}

static void write_demand_max(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, pool->peaks.demand);
}

/* 0 for pools with another scaling. */
static bool is_adaptive(const struct status_pool *pool)
{
        return pool->limits.scaling == SCALING_ADAPTIVE;
}

static void write_ms(struct exposition *to, const struct status_pool *pool, uint64_t ms)
{
        exposition_begin_sample(to, "", pool, NULL, NULL);
        exposition_end_ms(to, ms);
}

static void write_level(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, is_adaptive(pool) ? pool->adaptive.level : 0);
}

static void write_off_delay(struct exposition *to, const struct status_pool *pool)
{
        write_ms(to, pool, is_adaptive(pool) ? pool->adaptive.off_delay_ms : 0);
}

static void write_ahead(struct exposition *to, const struct status_pool *pool)
{
        write_number(to, pool, is_adaptive(pool) ? pool->adaptive.spare : 0);
}

static void write_start_worth(struct exposition *to, const struct status_pool *pool)
{
        write_ms(to, pool, pool->starts.worth_ms);
}

/* True if the listener before it has the same name: one that drains, beside its successor. */
static bool is_repeated(const struct status_pool *pool, size_t index)
{
        for (size_t i = 0; i < index; i++)
                if (text_equal(pool->listeners[i].address, pool->listeners[index].address))
                        return true;
        return false;
}

static void write_queue(struct exposition *to, const struct status_pool *pool)
{
        for (size_t i = 0; i < pool->listener_count; i++) {
                if (is_repeated(pool, i))
                        continue;
                exposition_begin_sample(to, "", pool, "listener", pool->listeners[i].address);
                exposition_end_number(to, pool->listeners[i].queue);
        }
}

static void write_backlog(struct exposition *to, const struct status_pool *pool)
{
        for (size_t i = 0; i < pool->listener_count; i++) {
                if (is_repeated(pool, i))
                        continue;
                exposition_begin_sample(to, "", pool, "listener", pool->listeners[i].address);
                exposition_end_number(to, pool->listeners[i].backlog);
        }
}

/* Bucket i of the scoreboard ends at 2^i µs. */
static void write_buckets(struct exposition *to, const struct status_pool *pool,
                          const struct request_durations *durations, unsigned first)
{
        uint64_t count = 0;
        char bound[32];

        for (unsigned i = 0; i <= BUCKETS_LAST; i++) {
                count += durations->buckets[i];
                if (i < first)
                        continue;
                snprintf(bound, sizeof(bound), "%.10g", (double)(UINT64_C(1) << i) / 1e6);
                exposition_begin_sample(to, "_bucket", pool, "le", bound);
                exposition_end_number(to, count);
        }
        count += durations->buckets[BUCKETS_LAST + 1];
        exposition_begin_sample(to, "_bucket", pool, "le", "+Inf");
        exposition_end_number(to, count);
        exposition_begin_sample(to, "_sum", pool, NULL, NULL);
        exposition_end_ms(to, durations->total_ns / 1000000);
        exposition_begin_sample(to, "_count", pool, NULL, NULL);
        exposition_end_number(to, count);
}

static void write_durations(struct exposition *to, const struct status_pool *pool)
{
        write_buckets(to, pool, &pool->durations, DURATIONS_FIRST);
}

static void write_waits(struct exposition *to, const struct status_pool *pool)
{
        write_buckets(to, pool, &pool->waits, WAITS_FIRST);
}

/* THE table of families, but for those of counters, which follow. */
static const struct row rows[] = {
        {"build", METRIC_INFO, NULL, "version", "the version of the daemon", write_build, NULL},
        {"start_time_seconds", METRIC_GAUGE, "seconds", NULL, "when the daemon was started, in seconds since 1970",
         write_start_time, NULL},
        {"config_last_reload_successful", METRIC_GAUGE, NULL, NULL,
         "whether the configuration was accepted when it was read last", write_reload_successful, NULL},
        {"config_last_reload_success_timestamp_seconds", METRIC_GAUGE, "seconds", NULL,
         "when a configuration was accepted last, in seconds since 1970", write_reload_time, NULL},
        {"upgrades", METRIC_COUNTER, NULL, NULL, "upgrades of the running daemon", write_upgrades, NULL},
        {"log_records_dropped", METRIC_COUNTER, NULL, NULL,
         "records that did not reach the log, since the start or the last upgrade", write_log_dropped, NULL},
        {"workers", METRIC_GAUGE, NULL, NULL, "workers of all pools that count against limits", write_all_workers,
         NULL},
        {"workers_max", METRIC_GAUGE, NULL, NULL, "max_workers_total; 0: there is no such limit", write_all_workers_max,
         NULL},
        {"pool_state", METRIC_STATE_SET, NULL, "pool, preforkd_pool_state", "what the pool is doing", NULL,
         write_state},
        {"pool_saturated", METRIC_GAUGE, NULL, "pool", "whether clients wait or are refused at max_workers", NULL,
         write_saturated},
        {"pool_growth_held_back", METRIC_GAUGE, NULL, "pool",
         "whether growth_pressure_limit keeps the pool from growing", NULL, write_held_back},
        {"pool_workers", METRIC_GAUGE, NULL, "pool, state", "workers, by what they do", NULL, write_workers},
        {"pool_workers_max", METRIC_GAUGE, NULL, "pool", "max_workers, which limits starting, idle, busy and unwatched",
         NULL, write_workers_max},
        {"pool_workers_spare_min", METRIC_GAUGE, NULL, "pool", "min_spare_workers", NULL, write_spare_min},
        {"pool_workers_spare_max", METRIC_GAUGE, NULL, "pool", "max_spare_workers", NULL, write_spare_max},
        {"pool_workers_available", METRIC_GAUGE, NULL, "pool",
         "idle workers, and those that start or may still be started", NULL, write_available},
        {"pool_workers_wanted", METRIC_GAUGE, NULL, "pool", "workers that max_workers_total keeps it from starting",
         NULL, write_wanted},
        {"pool_adaptive_level", METRIC_GAUGE, NULL, "pool",
         "scaling = adaptive: the highest level of demand that keeps its worker", NULL, write_level},
        {"pool_adaptive_off_delay_seconds", METRIC_GAUGE, "seconds", "pool",
         "scaling = adaptive: for how long a level that is idle keeps its worker", NULL, write_off_delay},
        {"pool_adaptive_spare_workers", METRIC_GAUGE, NULL, "pool",
         "scaling = adaptive: workers that are started ahead of demand", NULL, write_ahead},
        {"pool_start_worth_seconds", METRIC_GAUGE, "seconds", "pool",
         "for how long an idle worker costs as much as a start", NULL, write_start_worth},
        {"pool_workers_busy_max", METRIC_GAUGE, NULL, "pool", "the most workers seen busy at once", NULL,
         write_busy_max},
        {"pool_demand_max", METRIC_GAUGE, NULL, "pool", "the most connections seen served or waiting at once", NULL,
         write_demand_max},
        {"pool_listen_queue_max", METRIC_GAUGE, NULL, "pool", "the most connections seen waiting at once", NULL,
         write_queue_max},
        {"pool_listen_queue", METRIC_GAUGE, NULL, "pool, listener",
         "connections that wait; 1 stands for any number where the kernel does not say it", NULL, write_queue},
        {"pool_listen_backlog", METRIC_GAUGE, NULL, "pool, listener", "the most connections that may wait", NULL,
         write_backlog},
        {"pool_request_duration_seconds", METRIC_HISTOGRAM, "seconds", "pool, le", "how long requests take", NULL,
         write_durations},
        {"pool_queue_wait_seconds", METRIC_HISTOGRAM, "seconds", "pool, le",
         "how long connections waited, as far as is known; the sum is an estimate", NULL, write_waits},
};

/* True if an earlier counter has the same family. */
static bool is_of_earlier_family(int id)
{
        const char *metric = counter_table[id].metric;

        for (int i = 0; i < id; i++)
                if (metric && counter_table[i].metric && text_equal(counter_table[i].metric, metric))
                        return true;
        return false;
}

/* The first counter of the counters' family number `index`; COUNTER_COUNT: there is none. */
static int find_counter_family(size_t index)
{
        for (int id = 0; id < COUNTER_COUNT; id++)
                if (counter_table[id].metric && !is_of_earlier_family(id) && index-- == 0)
                        return id;
        return COUNTER_COUNT;
}

/* The row of `labelled` of a counter's family. One without is the programmer's mistake. */
static size_t find_labelled(const struct counter *counter)
{
        size_t i = 0;

        while (i < ELEMENTS(labelled) && !text_equal(labelled[i].metric, counter->metric))
                i++;
        assert(i < ELEMENTS(labelled));
        return i;
}

static bool describe_counters(int id, struct metric_family *ret)
{
        if (id == COUNTER_COUNT)
                return false;
        const struct counter *counter = &counter_table[id];
        size_t label = counter->value ? find_labelled(counter) : 0;
        *ret = (struct metric_family){.type = METRIC_COUNTER,
                                      .unit = counter_is_time((enum counter_id)id) ? "seconds" : NULL,
                                      .labels = counter->value ? labelled[label].labels : "pool",
                                      .help = counter->value ? labelled[label].help : counter->help};
        snprintf(ret->name, sizeof(ret->name), "preforkd_pool_%s", counter->metric);
        return true;
}

bool metric_family_get(size_t index, struct metric_family *ret)
{
        if (index >= ELEMENTS(rows))
                return describe_counters(find_counter_family(index - ELEMENTS(rows)), ret);
        const struct row *row = &rows[index];
        *ret = (struct metric_family){.type = row->type, .unit = row->unit, .labels = row->labels, .help = row->help};
        snprintf(ret->name, sizeof(ret->name), "preforkd_%s", row->name);
        return true;
}

static void write_counters(struct exposition *to, const struct status_pool *pool, int first)
{
        const char *metric = counter_table[first].metric;

        for (int id = first; id < COUNTER_COUNT && metric; id++) {
                const struct counter *counter = &counter_table[id];
                if (!counter->metric || !text_equal(counter->metric, metric))
                        continue;
                exposition_begin_sample(to, "_total", pool,
                                        counter->value ? labelled[find_labelled(counter)].label : NULL, counter->value);
                uint64_t value = counter_shown(&pool->totals, (enum counter_id)id);
                if (counter_is_time((enum counter_id)id))
                        exposition_end_ms(to, value);
                else
                        exposition_end_number(to, value);
        }
}

static void write_family(struct exposition *to, size_t index)
{
        const struct row *row = index < ELEMENTS(rows) ? &rows[index] : NULL;
        int first = row ? COUNTER_COUNT : find_counter_family(index - ELEMENTS(rows));

        exposition_begin_family(to);
        if (row && row->write)
                row->write(to);
        for (size_t i = 0; i < to->status->pool_count && (!row || row->write_pool); i++) {
                const struct status_pool *pool = &to->status->pools[i];
                if (status_pool_is_shadowed(to->status, i))
                        continue;
                if (row)
                        row->write_pool(to, pool);
                else
                        write_counters(to, pool, first);
        }
}

int metrics_render(const struct status *status, enum metrics_format format, struct text *text)
{
        struct metric_family family;
        struct exposition to = {.status = status, .format = format, .text = text, .family = &family};

        for (size_t i = 0; metric_family_get(i, &family); i++)
                write_family(&to, i);
        exposition_end(&to);
        return to.r;
}
