#include "web/dialects.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/exposition.h"
#include "logic/status/status.h"

/* Apache's scoreboard has a character for each worker. */
#define SCOREBOARD_MAX 65536

static uint64_t queue_of(const struct status_pool *pool)
{
        uint64_t queue = 0;

        for (size_t i = 0; i < pool->listener_count; i++)
                queue += pool->listeners[i].queue;
        return queue;
}

static uint64_t backlog_of(const struct status_pool *pool)
{
        uint64_t backlog = 0;

        for (size_t i = 0; i < pool->listener_count; i++)
                backlog += pool->listeners[i].backlog;
        return backlog;
}

static uint64_t active_of(const struct status_pool *pool)
{
        const struct status_counts *counts = &pool->counts;

        return counts->busy + counts->unwatched + counts->detached + counts->retiring;
}

enum php_fpm_number {
        PHP_FPM_UP,
        PHP_FPM_SCRAPE_FAILURES,
        PHP_FPM_START_SINCE,
        PHP_FPM_ACCEPTED,
        PHP_FPM_QUEUE,
        PHP_FPM_MAX_QUEUE,
        PHP_FPM_QUEUE_LENGTH,
        PHP_FPM_IDLE,
        PHP_FPM_ACTIVE,
        PHP_FPM_TOTAL,
        PHP_FPM_MAX_ACTIVE,
        PHP_FPM_MAX_CHILDREN,
        PHP_FPM_SLOW,
        PHP_FPM_NUMBER_COUNT
};

static uint64_t php_fpm_number(const struct status *status, const struct status_pool *pool, enum php_fpm_number which)
{
        const uint64_t numbers[PHP_FPM_NUMBER_COUNT] = {
                [PHP_FPM_UP] = 1,
                [PHP_FPM_START_SINCE] = status->uptime_ms / 1000,
                [PHP_FPM_ACCEPTED] = pool->totals.requests,
                [PHP_FPM_QUEUE] = queue_of(pool),
                [PHP_FPM_MAX_QUEUE] = pool->peaks.queued,
                [PHP_FPM_QUEUE_LENGTH] = backlog_of(pool),
                [PHP_FPM_IDLE] = pool->counts.idle,
                [PHP_FPM_ACTIVE] = active_of(pool),
                [PHP_FPM_TOTAL] = pool->counts.idle + active_of(pool),
                [PHP_FPM_MAX_ACTIVE] = pool->peaks.busy,
                [PHP_FPM_MAX_CHILDREN] = pool->totals.saturations,
                [PHP_FPM_SLOW] = pool->totals.slow,
        };

        return numbers[which];
}

static const struct {
        const char *name, *type, *help;
} exporter[] = {
        [PHP_FPM_UP] = {"phpfpm_up", "gauge", "whether the pool could be reached"},
        [PHP_FPM_SCRAPE_FAILURES] = {"phpfpm_scrape_failures", "counter", "how often it could not be reached"},
        [PHP_FPM_START_SINCE] = {"phpfpm_start_since", "counter", "seconds since the start"},
        [PHP_FPM_ACCEPTED] = {"phpfpm_accepted_connections", "counter", "requests that have ended"},
        [PHP_FPM_QUEUE] = {"phpfpm_listen_queue", "gauge", "connections that wait"},
        [PHP_FPM_MAX_QUEUE] = {"phpfpm_max_listen_queue", "counter", "the most connections that waited at once"},
        [PHP_FPM_QUEUE_LENGTH] = {"phpfpm_listen_queue_length", "gauge", "the most connections that may wait"},
        [PHP_FPM_IDLE] = {"phpfpm_idle_processes", "gauge", "idle workers"},
        [PHP_FPM_ACTIVE] = {"phpfpm_active_processes", "gauge", "workers that serve"},
        [PHP_FPM_TOTAL] = {"phpfpm_total_processes", "gauge", "idle workers and those that serve"},
        [PHP_FPM_MAX_ACTIVE] = {"phpfpm_max_active_processes", "counter", "the most workers that were busy at once"},
        [PHP_FPM_MAX_CHILDREN] = {"phpfpm_max_children_reached", "counter",
                                  "how often clients waited or were refused at max_workers"},
        [PHP_FPM_SLOW] = {"phpfpm_slow_requests", "counter", "requests that exceeded request_slowlog_timeout"},
};

int dialect_php_fpm_metrics(const struct status *status, struct text *text)
{
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(exporter) && r == 0; i++) {
                struct metric_family family = {0};
                struct exposition to = {.status = status, .format = METRICS_TEXT, .text = text, .family = &family};
                snprintf(family.name, sizeof(family.name), "%s", exporter[i].name);
                r = text_appendf(text, "# HELP %s %s\n# TYPE %s %s\n", exporter[i].name, exporter[i].help,
                                 exporter[i].name, exporter[i].type);
                for (size_t k = 0; k < status->pool_count && r == 0; k++) {
                        const struct status_pool *pool = &status->pools[k];
                        if (status_pool_is_shadowed(status, k))
                                continue;
                        exposition_begin_sample(&to, "", pool, NULL, NULL);
                        exposition_end_number(&to, php_fpm_number(status, pool, (enum php_fpm_number)i));
                        r = to.r;
                }
        }
        return r;
}

int dialect_php_fpm_json(const struct status *status, const struct status_pool *pool, const json_t *document,
                         struct text *text)
{
        const char *scaling = json_string_value(json_object_get(json_object_get(document, "limits"), "scaling"));
#define NUMBER(which) (json_int_t) php_fpm_number(status, pool, which)
        json_t *object = json_pack(
                "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "pool", pool->name,
                "process manager", scaling ? scaling : "dynamic", "start time",
                (json_int_t)(status->started_wall_ms / 1000), "start since", NUMBER(PHP_FPM_START_SINCE),
                "accepted conn", NUMBER(PHP_FPM_ACCEPTED), "listen queue", NUMBER(PHP_FPM_QUEUE), "max listen queue",
                NUMBER(PHP_FPM_MAX_QUEUE), "listen queue len", NUMBER(PHP_FPM_QUEUE_LENGTH), "idle processes",
                NUMBER(PHP_FPM_IDLE), "active processes", NUMBER(PHP_FPM_ACTIVE), "total processes",
                NUMBER(PHP_FPM_TOTAL), "max active processes", NUMBER(PHP_FPM_MAX_ACTIVE), "max children reached",
                NUMBER(PHP_FPM_MAX_CHILDREN), "slow requests", NUMBER(PHP_FPM_SLOW));
#undef NUMBER
        _cleanup_(freep) char *string = object ? json_dumps(object, JSON_COMPACT) : NULL;

        json_decref(object);
        return string ? text_append(text, string) : -ENOMEM;
}

/* What Apache's scoreboard shows, of all pools or one. */
struct apache {
        uint64_t accesses, duration_ms, open;
        struct status_counts counts;
        double per_second;
};

static void add_up(struct apache *sum, const struct status_pool *pool)
{
        uint64_t most = pool->limits.max_workers;

        sum->accesses += pool->totals.requests;
        sum->duration_ms += counter_shown(&pool->totals, COUNTER_busy_ns);
        sum->open += most - MIN_OF((uint64_t)pool->counts.total, most);
        sum->counts.idle += pool->counts.idle;
        sum->counts.starting += pool->counts.starting;
        sum->counts.retiring += pool->counts.retiring;
        sum->counts.busy += pool->counts.busy + pool->counts.unwatched + pool->counts.detached;
        sum->per_second += pool->rate.per_second;
}

/* So many of a character, as far as there is room. */
static int append_workers(struct text *text, char character, uint64_t count, size_t begin)
{
        const char one[] = {character, '\0'};
        int r = 0;

        for (; count > 0 && text->length - begin < SCOREBOARD_MAX && r == 0; count--)
                r = text_append(text, one);
        return r;
}

static int append_scoreboard(struct text *text, const struct apache *sum)
{
        size_t begin = text->length;
        int r = append_workers(text, '_', sum->counts.idle, begin);

        if (r == 0)
                r = append_workers(text, 'W', sum->counts.busy, begin);
        if (r == 0)
                r = append_workers(text, 'S', sum->counts.starting, begin);
        if (r == 0)
                r = append_workers(text, 'G', sum->counts.retiring, begin);
        if (r == 0)
                r = append_workers(text, '.', sum->open, begin);
        return r == 0 ? text_append(text, "\n") : r;
}

int dialect_apache(const struct status *status, const struct status_pool *pool, struct text *text)
{
        struct apache sum = {0};

        for (size_t i = 0; i < status->pool_count; i++)
                if (!pool || pool == &status->pools[i])
                        add_up(&sum, &status->pools[i]);
        int r = text_appendf(text,
                             "Total Accesses: %" PRIu64 "\nTotal kBytes: 0\nTotal Duration: %" PRIu64
                             "\nUptime: %" PRIu64 "\nReqPerSec: %.6g\nBytesPerSec: 0\nBytesPerReq: 0\n"
                             "DurationPerReq: %.6g\nBusyWorkers: %u\nIdleWorkers: %u\nScoreboard: ",
                             sum.accesses, sum.duration_ms, status->uptime_ms / 1000, sum.per_second,
                             sum.accesses > 0 ? (double)sum.duration_ms / (double)sum.accesses : 0., sum.counts.busy,
                             sum.counts.idle);
        return r == 0 ? append_scoreboard(text, &sum) : r;
}
