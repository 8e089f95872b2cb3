#include "master/status/status_json.h"

#include <string.h>

#include "base/cleanup.h"
#include "master/status/json_value.h"
#include "master/status/scaling_json.h"

#define NUMBER(value) json_value_number(value)

json_t *status_json_ok(enum control_command command)
{
        return json_pack("{s:i, s:b, s:s}", "protocol", CONTROL_PROTOCOL, "ok", 1, "command",
                         control_command_name(command));
}

json_t *status_json_error(const char *error, const char *message)
{
        return json_pack("{s:i, s:b, s:s, s:o}", "protocol", CONTROL_PROTOCOL, "ok", 0, "error", error, "message",
                         json_value_text(message));
}

json_t *status_json_limits(const struct scale_limits *limits)
{
        return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "scaling", status_scaling_name(limits->scaling),
                         "min_spare_workers", NUMBER(limits->min_spare), "max_spare_workers", NUMBER(limits->max_spare),
                         "start_workers", NUMBER(limits->start), "max_workers", NUMBER(limits->max_workers),
                         "threads_per_worker", NUMBER(limits->unit), "spare_timeout_ms",
                         NUMBER(limits->spare_timeout_ms));
}

static json_t *counts_json(const struct status_counts *counts)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "starting", NUMBER(counts->starting), "idle",
                         NUMBER(counts->idle), "busy", NUMBER(counts->busy), "throttled", NUMBER(counts->throttled),
                         "unwatched", NUMBER(counts->unwatched), "detached", NUMBER(counts->detached), "retiring",
                         NUMBER(counts->retiring), "total", NUMBER(counts->total), "old", NUMBER(counts->old_total));
}

/* Most numbers of some lists are 0: `zero`, borrowed, serves for all of them. */
static json_t *number_or(uint64_t number, json_t *zero)
{
        return number > 0 ? NUMBER(number) : json_incref(zero);
}

static json_t *totals_json(const struct counters *totals)
{
        json_t *object = json_object(), *zero = json_integer(0);
        int r = 0;

        for (int id = 0; id < COUNTER_COUNT && r == 0; id++) {
                json_t *value = number_or(counter_shown(totals, (enum counter_id)id), zero);
                r = json_object_set_new_nocheck(object, counter_table[id].name, value);
        }
        json_decref(zero);
        if (r == 0)
                return object;
        json_decref(object);
        return NULL;
}

static json_t *listener_json(const struct status_listener *listener)
{
        return json_pack("{s:o, s:o, s:b, s:o, s:b, s:b, s:o}", "address", json_value_text(listener->address), "queue",
                         NUMBER(listener->queue), "queue_exact", listener->queue_known, "backlog",
                         NUMBER(listener->backlog), "closing", listener->closing, "listening", listener->listening,
                         "error", listener->error ? json_value_text(listener->error) : json_null());
}

static json_t *exit_json(const struct status_worker *worker)
{
        if (!worker->has_exit)
                return json_null();
        return worker->exit_signal > 0 ? json_pack("{s:i}", "signal", worker->exit_signal)
                                       : json_pack("{s:i}", "code", worker->exit_code);
}

static json_t *worker_json(const struct status_worker *worker)
{
        return json_pack("{s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "pid",
                         worker->pid > 0 ? NUMBER(worker->pid) : json_null(), "state",
                         status_worker_state_name(worker->state), "busy", worker->busy, "generation",
                         NUMBER(worker->generation), "age_ms", NUMBER(worker->age_ms), "since_ms",
                         NUMBER(worker->since_ms), "requests", NUMBER(worker->requests), "cpu_ms",
                         NUMBER(worker->cpu_ms), "memory_bytes",
                         worker->memory_bytes > 0 ? NUMBER(worker->memory_bytes) : json_null(), "private_bytes",
                         worker->private_bytes > 0 ? NUMBER(worker->private_bytes) : json_null(), "last_exit",
                         exit_json(worker));
}

/* Append `value`, which the array then owns. 0 or -1. */
static int append(json_t *array, json_t *value)
{
        return json_array_append_new(array, value);
}

static json_t *template_json(const struct status_template *template)
{
        return json_pack("{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "pid", (int)template->pid, "state",
                         template->state, "generation", NUMBER(template->generation), "requests",
                         NUMBER(template->requests), "age_ms", NUMBER(template->age_ms), "since_ms",
                         NUMBER(template->since_ms), "cpu_ms", NUMBER(template->cpu_ms), "memory_bytes",
                         template->memory_bytes > 0 ? NUMBER(template->memory_bytes) : json_null());
}

/* A number, and whether it is a whole one is for the reader to see. */
static json_t *real_json(double value)
{
        return value == (double)(json_int_t)value ? json_integer((json_int_t)value) : json_real(value);
}

/* A list for each column: a third of the bytes of a list of objects, and of the time to make them. */
static json_t *history_json(const struct status_pool *status)
{
        json_t *history = json_object();
        int r = history ? 0 : -1;

        for (int column = 0; column < HISTORY_COLUMN_COUNT && r == 0; column++) {
                json_t *list = json_array();
                r = json_object_set_new(history, history_column_names[column], list);
                for (size_t i = 0; i < status->history_count && r == 0; i++)
                        r = append(list, real_json(status->history[i].column[column]));
        }
        if (r == 0)
                return history;
        json_decref(history);
        return NULL;
}

static json_t *concurrency_json(const struct concurrency *concurrency)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o}", "work_ms", NUMBER(concurrency->work_ms), "p50",
                         NUMBER(concurrency->p50), "p90", NUMBER(concurrency->p90), "p99", NUMBER(concurrency->p99),
                         "p999", NUMBER(concurrency->p999));
}

/* What is there on request. */
static int add_long_lists(json_t *pool, const struct status_pool *status)
{
        json_t *templates = json_array(), *workers = json_array();
        int r = json_object_set_new(pool, "templates", templates);

        for (size_t i = 0; i < status->template_count && r == 0; i++)
                r = append(templates, template_json(&status->templates[i]));
        int set = json_object_set_new(pool, "workers", workers);
        r = r == 0 ? set : r;
        for (size_t i = 0; i < status->worker_count && r == 0; i++)
                r = append(workers, worker_json(&status->workers[i]));
        if (r == 0)
                r = json_object_set_new(pool, "workers_left_out", NUMBER(status->workers_left_out));
        if (r == 0)
                r = json_object_set_new(pool, "concurrency", concurrency_json(&status->concurrency));
        return r == 0 ? json_object_set_new(pool, "history", history_json(status)) : r;
}

static json_t *choice_json(const struct status_choice *choice)
{
        if (!choice->used)
                return json_null();
        return json_pack("{s:s, s:s, s:o}", "configured", choice->configured, "used", choice->used, "why",
                         choice->why ? json_value_text(choice->why) : json_null());
}

json_t *status_json_machine(uint64_t memory_bytes, unsigned cpus)
{
        return json_pack("{s:o, s:o}", "memory_bytes", NUMBER(memory_bytes), "cpus", json_integer(cpus));
}

static json_t *peaks_json(const struct status_pool *status)
{
        return json_pack("{s:o, s:o, s:o, s:o}", "observed_ms", NUMBER(status->peaks.observed_ms), "busy",
                         NUMBER(status->peaks.busy), "queue", NUMBER(status->peaks.queued), "demand",
                         NUMBER(status->peaks.demand));
}

static int add_lists(json_t *pool, const struct status_pool *status)
{
        json_t *listeners = json_array();
        int r = json_object_set_new(pool, "listeners", listeners);

        if (r == 0)
                r = json_object_set_new(pool, "start_method", choice_json(&status->start_method));
        if (r == 0)
                r = json_object_set_new(pool, "adaptive", scaling_json_adaptive(status));
        if (r == 0)
                r = json_object_set_new(pool, "starts", scaling_json_starts(status));
        if (r == 0)
                r = json_object_set_new(pool, "peaks", peaks_json(status));
        if (r == 0)
                r = json_object_set_new(pool, "when_full", json_string(status->refuses ? "refuse" : "queue"));
        if (r == 0)
                r = json_object_set_new(pool, "max_requests", NUMBER(status->max_requests));
        if (r == 0)
                r = json_object_set_new(pool, "growth_pressure", scaling_json_pressure(status));
        if (r == 0)
                r = json_object_set_new(pool, "copy", choice_json(&status->copy));
        if (r == 0)
                r = json_object_set_new(pool, "template",
                                        status->template_count > 0 ? template_json(&status->templates[0])
                                                                   : json_null());
        for (size_t i = 0; i < status->listener_count && r == 0; i++)
                r = append(listeners, listener_json(&status->listeners[i]));
        return r == 0 && status->workers ? add_long_lists(pool, status) : r;
}

static uint64_t queue_of(const struct status_pool *status)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < status->listener_count; i++)
                sum += status->listeners[i].queue;
        return sum;
}

/* An object with a member for each overlaid option. */
static json_t *overlay_json(const struct status_pool *status)
{
        json_t *overlay = json_object();
        int r = overlay ? 0 : -1;

        for (size_t i = 0; i < status->overlay_count && r == 0; i++) {
                const struct status_overlay *row = &status->overlay[i];
                r = json_object_set_new(
                        overlay, row->option,
                        json_pack("{s:s, s:s}", "configured", row->configured, "overlaid", row->overlaid));
        }
        if (r == 0)
                return overlay;
        json_decref(overlay);
        return NULL;
}

/* Bucket by bucket; NULL: out of memory. */
static json_t *buckets_json(const struct request_durations *durations)
{
        json_t *buckets = json_array(), *zero = json_integer(0);
        int r = 0;

        for (size_t i = 0; i < REQUEST_DURATION_BUCKETS && r == 0; i++)
                r = append(buckets, number_or(durations->buckets[i], zero));
        json_decref(zero);
        if (r == 0)
                return buckets;
        json_decref(buckets);
        return NULL;
}

static json_t *pool_json(const struct status_pool *status)
{
        const struct request_percentiles *times = &status->times, *waits = &status->wait_times;
        json_t *pool = json_pack(
                "{s:o, s:s, s:b, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:f, s:{s:o, s:o, s:o, s:o, s:o}, "
                "s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:{s:o, s:o}, s:{s:o, s:o}}",
                "name", json_value_text(status->name), "state", status_pool_state_name(status->state), "draining",
                status->draining, "handler_type", status->handler_type, "accounting", status->accounting, "generation",
                NUMBER(status->generation), "counts", counts_json(&status->counts), "wants", NUMBER(status->wants),
                "limits", status_json_limits(&status->limits), "overlay", overlay_json(status), "queue",
                NUMBER(queue_of(status)), "requests_per_second", status->rate.per_second, "rate_window_ms",
                NUMBER(status->rate.window_ms), "busy_average", status->busy_average, "duration_us", "mean",
                NUMBER(times->mean_us), "p50", NUMBER(times->p50_us), "p90", NUMBER(times->p90_us), "p99",
                NUMBER(times->p99_us), "buckets", buckets_json(&status->durations), "wait_us", "measured",
                NUMBER(request_durations_count(&status->waits)), "p50", NUMBER(waits->p50_us), "p90",
                NUMBER(waits->p90_us), "p99", NUMBER(waits->p99_us), "buckets", buckets_json(&status->waits), "totals",
                totals_json(&status->totals), "backoff", "failures", NUMBER(status->failures), "next_start_ms",
                NUMBER(status->next_start_ms), "opening", "failures", NUMBER(status->listen_failures),
                "next_attempt_ms", NUMBER(status->next_listen_ms));

        if (pool && add_lists(pool, status) != 0) {
                json_decref(pool);
                return NULL;
        }
        return pool;
}

static json_t *log_json(const struct status_log *log)
{
        return json_pack("{s:s, s:o, s:o, s:o, s:o}", "target", log->target, "file",
                         log->file ? json_value_text(log->file) : json_null(), "pid",
                         log->process > 0 ? json_integer(log->process) : json_null(), "error",
                         log->error ? json_value_text(log->error) : json_null(), "dropped", NUMBER(log->dropped));
}

json_t *status_json_status(const struct status *status)
{
        json_t *pools = json_array();
        json_t *file = status_json_ok(CONTROL_STATUS);
        json_t *daemon =
                json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:{s:o, s:o}, s:o, s:{s:b, s:o}, s:o}",
                          "version", status->version, "pid", (int)status->pid, "state", status->state, "started",
                          json_value_time(status->started_wall_ms), "started_ms", NUMBER(status->started_wall_ms),
                          "uptime_ms", NUMBER(status->uptime_ms), "counts", counts_json(&status->counts),
                          "requests_per_second", status->requests_per_second, "totals", totals_json(&status->totals),
                          "machine", status_json_machine(status->memory_bytes, status->cpus), "total", "max_workers",
                          NUMBER(status->total.max), "used", NUMBER(status->total.used), "log", log_json(&status->log),
                          "reload", "successful", !status->config_refused, "success_ms",
                          NUMBER(status->configured_wall_ms), "upgrades", NUMBER(status->upgrades));
        int r = json_object_set_new(file, "master", daemon);

        if (r == 0)
                r = json_object_set(file, "pools", pools);
        for (size_t i = 0; i < status->pool_count && r == 0; i++)
                r = append(pools, pool_json(&status->pools[i]));
        json_decref(pools);
        if (r != 0) {
                json_decref(file);
                return NULL;
        }
        return file;
}
