#include "document/status_document.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "document/history_document.h"
#include "document/member.h"

static unsigned count_of(const json_t *object, const char *name)
{
        return (unsigned)MIN_OF(member_number(object, name), (uint64_t)UINT32_MAX);
}

static struct status_counts read_counts(const json_t *object)
{
        return (struct status_counts){.starting = count_of(object, "starting"),
                                      .idle = count_of(object, "idle"),
                                      .busy = count_of(object, "busy"),
                                      .unwatched = count_of(object, "unwatched"),
                                      .throttled = count_of(object, "throttled"),
                                      .detached = count_of(object, "detached"),
                                      .retiring = count_of(object, "retiring"),
                                      .total = count_of(object, "total"),
                                      .old_total = count_of(object, "old")};
}

static void read_totals(const json_t *object, struct counters *ret)
{
        for (int id = 0; id < COUNTER_COUNT; id++)
                counter_take_shown(ret, (enum counter_id)id, member_number(object, counter_table[id].name));
}

static void read_buckets(const json_t *object, struct request_durations *ret)
{
        const json_t *buckets = json_object_get(object, "buckets");

        for (size_t i = 0; i < REQUEST_DURATION_BUCKETS; i++) {
                json_int_t count = json_integer_value(json_array_get(buckets, i));
                ret->buckets[i] = count > 0 ? (uint64_t)count : 0;
        }
}

static struct request_percentiles read_times(const json_t *object)
{
        return (struct request_percentiles){.mean_us = member_number(object, "mean"),
                                            .p50_us = member_number(object, "p50"),
                                            .p90_us = member_number(object, "p90"),
                                            .p99_us = member_number(object, "p99")};
}

/* NULL: there is none. */
static const char *optional_text_of(const json_t *object, const char *name)
{
        return json_string_value(json_object_get(object, name));
}

/* A state of a later version is none that we know: it serves, as far as we know. */
static enum status_pool_state read_state(const char *word)
{
        for (int state = 0; state < STATUS_POOL_STATE_COUNT; state++)
                if (text_equal(word, status_pool_state_name((enum status_pool_state)state)))
                        return (enum status_pool_state)state;
        return STATUS_POOL_RUNNING;
}

static int read_listeners(const json_t *array, struct status_pool *ret)
{
        size_t count = json_array_size(array);

        ret->listeners = calloc(count + 1, sizeof(*ret->listeners));
        if (!ret->listeners)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                const json_t *object = json_array_get(array, i);
                ret->listeners[ret->listener_count++] =
                        (struct status_listener){.address = member_text(object, "address"),
                                                 .queue = count_of(object, "queue"),
                                                 .queue_known = json_is_true(json_object_get(object, "queue_exact")),
                                                 .backlog = count_of(object, "backlog"),
                                                 .closing = json_is_true(json_object_get(object, "closing")),
                                                 .listening = json_is_true(json_object_get(object, "listening")),
                                                 .error = optional_text_of(object, "error")};
        }
        return 0;
}

static void read_adaptive(const json_t *object, struct status_pool *ret)
{
        ret->adaptive.level = member_number(object, "level");
        ret->adaptive.off_delay_ms = member_number(object, "off_delay_ms");
        ret->adaptive.idle_ms = member_number(object, "level_idle_ms");
        ret->adaptive.spare = member_number(object, "spare_workers");
}

static void read_starts(const json_t *object, struct status_pool *ret)
{
        ret->starts.cpu_us = member_number(object, "cpu_us");
        ret->starts.duration_us = member_number(object, "duration_us");
        ret->starts.worker_bytes = member_number(object, "worker_bytes");
        ret->starts.worth_ms = member_number(object, "worth_ms");
        ret->starts.wait_ms = member_number(object, "wait_worth_ms");
}

void status_document_read_scaling(const json_t *pool, struct status_pool *ret)
{
        const json_t *limits = json_object_get(pool, "limits");

        ret->limits = (struct scale_limits){
                .scaling = MAX_OF(status_scaling_find(member_text(limits, "scaling")), 0),
                .spare_timeout_ms = member_number(limits, "spare_timeout_ms"),
                .min_spare = count_of(limits, "min_spare_workers"),
                .max_spare = count_of(limits, "max_spare_workers"),
                .start = count_of(limits, "start_workers"),
                .max_workers = count_of(limits, "max_workers"),
                .unit = count_of(limits, "threads_per_worker"),
        };
        read_adaptive(json_object_get(pool, "adaptive"), ret);
        read_starts(json_object_get(pool, "starts"), ret);
}

static void read_peaks(const json_t *object, struct status_pool *ret)
{
        ret->peaks.observed_ms = member_number(object, "observed_ms");
        ret->peaks.busy = count_of(object, "busy");
        ret->peaks.queued = count_of(object, "queue");
        ret->peaks.demand = count_of(object, "demand");
}

static struct concurrency read_concurrency(const json_t *object)
{
        return (struct concurrency){.work_ms = member_number(object, "work_ms"),
                                    .p50 = count_of(object, "p50"),
                                    .p90 = count_of(object, "p90"),
                                    .p99 = count_of(object, "p99"),
                                    .p999 = count_of(object, "p999")};
}

/* Percent, as it is kept. */
static unsigned share_of(const json_t *object, const char *name)
{
        double percent = json_number_value(json_object_get(object, name));

        return percent > 0 ? (unsigned)(MIN_OF(percent, 100.) * PRESSURE_ONE_PERCENT + 0.5) : 0;
}

static void read_pressure(const json_t *object, struct status_pool *ret)
{
        const char *resource = optional_text_of(object, "resource");

        for (int i = 0; i < PRESSURE_RESOURCE_COUNT; i++)
                if (resource && text_equal(resource, pressure_resource_name((enum pressure_resource)i)))
                        ret->pressure.resource = pressure_resource_name((enum pressure_resource)i);
        ret->pressure.limited = ret->pressure.resource;
        ret->pressure.held = ret->pressure.limited && json_is_true(json_object_get(object, "held_back"));
        ret->pressure.share = share_of(object, "percent");
        ret->pressure.limit = share_of(object, "limit_percent");
}

static int read_pool(const json_t *object, struct status_pool *ret)
{
        const json_t *backoff = json_object_get(object, "backoff");
        const json_t *rate = json_object_get(object, "requests_per_second");
        const json_t *busy = json_object_get(object, "busy_average");

        *ret = (struct status_pool){
                .name = member_text(object, "name"),
                .state = read_state(member_text(object, "state")),
                .draining = json_is_true(json_object_get(object, "draining")),
                .handler_type = member_text(object, "handler_type"),
                .accounting = member_text(object, "accounting"),
                .generation = member_number(object, "generation"),
                .counts = read_counts(json_object_get(object, "counts")),
                .wants = count_of(object, "wants"),
                .refuses = text_equal(member_text(object, "when_full"), "refuse"),
                .max_requests = member_number(object, "max_requests"),
                .failures = count_of(backoff, "failures"),
                .next_start_ms = member_number(backoff, "next_start_ms"),
                .rate = {.per_second = json_number_value(rate), .window_ms = member_number(object, "rate_window_ms")}};
        ret->busy_average = busy ? MAX_OF(json_number_value(busy), 0.) : ret->counts.busy;
        status_document_read_scaling(object, ret);
        read_peaks(json_object_get(object, "peaks"), ret);
        ret->concurrency = read_concurrency(json_object_get(object, "concurrency"));
        read_pressure(json_object_get(object, "growth_pressure"), ret);
        read_totals(json_object_get(object, "totals"), &ret->totals);
        read_buckets(json_object_get(object, "duration_us"), &ret->durations);
        ret->durations.total_ns = ret->totals.busy_ns;
        ret->times = read_times(json_object_get(object, "duration_us"));
        read_buckets(json_object_get(object, "wait_us"), &ret->waits);
        ret->wait_times = read_times(json_object_get(object, "wait_us"));
        request_durations_spread_evenly(&ret->waits);
        int r = read_listeners(json_object_get(object, "listeners"), ret);
        return r == 0 ? history_document_read(object, &ret->history, &ret->history_count) : r;
}

static void read_master(const json_t *object, struct status *ret)
{
        const json_t *reload = json_object_get(object, "reload");

        const json_t *machine = json_object_get(object, "machine");

        ret->memory_bytes = member_number(machine, "memory_bytes");
        ret->cpus = count_of(machine, "cpus");
        ret->version = member_text(object, "version");
        ret->state = member_text(object, "state");
        ret->pid = (pid_t)count_of(object, "pid");
        ret->started_wall_ms = member_number(object, "started_ms");
        ret->uptime_ms = member_number(object, "uptime_ms");
        ret->total.max = member_number(json_object_get(object, "total"), "max_workers");
        ret->total.used = member_number(json_object_get(object, "total"), "used");
        ret->log.error = optional_text_of(json_object_get(object, "log"), "error");
        ret->log.dropped = member_number(json_object_get(object, "log"), "dropped");
        ret->config_refused = json_is_false(json_object_get(reload, "successful"));
        ret->configured_wall_ms = member_number(reload, "success_ms");
        ret->upgrades = member_number(object, "upgrades");
}

int status_document_read(const json_t *document, struct status *ret)
{
        const json_t *master = json_object_get(document, "master"), *pools = json_object_get(document, "pools");
        struct status status = {0};
        int r = 0;

        if (!json_is_object(master) || !json_is_array(pools))
                return -EPROTO;
        read_master(master, &status);
        status.pools = calloc(json_array_size(pools) + 1, sizeof(*status.pools));
        if (!status.pools)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(pools) && r == 0; i++) {
                struct status_pool *pool = &status.pools[status.pool_count++];
                r = read_pool(json_array_get(pools, i), pool);
                if (r == 0)
                        status_add_up(&status, pool);
        }
        if (r < 0) {
                status_clear(&status);
                return r;
        }
        *ret = status;
        return 0;
}
