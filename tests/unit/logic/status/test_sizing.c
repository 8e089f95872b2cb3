/* Advice on the limits of pools, as a table: what was observed, and what is said about an option. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/status/sizing.h"
#include "logic/status/status.h"

#define WORKERS 12

/* What a row can set, all as numbers; names are those of the table below. */
struct observed {
        uint64_t max, min_spare, max_spare, timeout_s, scaling, refuse, max_requests;
        uint64_t hours, requests, busy, demand, busy_s, cpu_s;
        uint64_t full, full_s, refused, started, recycled, unwatched;
        uint64_t quick_waits, late_waits, long_waits, start_us, start_cpu_us, worth_s, new_kb;
        uint64_t inetd, memory_mb, cpus, workers, worker_mb, growth_kb, level, delay_s, ahead, known_s, p999, is_full;
};

#define KEY(name)                                                                                                      \
        {                                                                                                              \
#name, offsetof(struct observed, name)                                                                 \
        }
static const struct {
        const char *name;
        size_t offset;
} keys[] = {KEY(max),          KEY(min_spare),   KEY(max_spare),  KEY(timeout_s),  KEY(scaling),  KEY(refuse),
            KEY(max_requests), KEY(hours),       KEY(requests),   KEY(busy),       KEY(demand),   KEY(busy_s),
            KEY(cpu_s),        KEY(full),        KEY(full_s),     KEY(refused),    KEY(started),  KEY(recycled),
            KEY(unwatched),    KEY(quick_waits), KEY(late_waits), KEY(long_waits), KEY(start_us), KEY(start_cpu_us),
            KEY(worth_s),      KEY(new_kb),      KEY(inetd),      KEY(memory_mb),  KEY(cpus),     KEY(workers),
            KEY(worker_mb),    KEY(growth_kb),   KEY(level),      KEY(delay_s),    KEY(ahead),    KEY(known_s),
            KEY(p999),         KEY(is_full)};

static void set(struct observed *observed, const char *word)
{
        const char *equals = strchr(word, '=');

        for (size_t i = 0; equals && i < ELEMENTS(keys); i++)
                if (strlen(keys[i].name) == (size_t)(equals - word) &&
                    strncmp(word, keys[i].name, (size_t)(equals - word)) == 0) {
                        *(uint64_t *)((char *)observed + keys[i].offset) = strtoull(equals + 1, NULL, 10);
                        return;
                }
        fail_msg("unknown: %s", word);
}

static struct observed parse(const char *line)
{
        /* A day in a life of a pool that has nothing to complain about. */
        struct observed observed = {.max = 50,
                                    .min_spare = 1,
                                    .max_spare = 8,
                                    .timeout_s = 10,
                                    .hours = 3,
                                    .requests = 12000,
                                    .busy = 37,
                                    .demand = 40,
                                    .busy_s = 34560,
                                    .quick_waits = 5000,
                                    .start_us = 1200,
                                    .start_cpu_us = 700,
                                    .worth_s = 42,
                                    .memory_mb = 8192,
                                    .cpus = 2};
        _cleanup_(words_clear) struct words words = {0};

        assert_int_equal(words_split(line, &words), 0);
        for (size_t i = 0; i < words.count; i++)
                set(&observed, words.list[i]);
        return observed;
}

static struct status_pool pool_of(const struct observed *o)
{
        return (struct status_pool){
                .name = "www",
                .state = o->is_full ? STATUS_POOL_SATURATED : STATUS_POOL_RUNNING,
                .handler_type = o->inetd ? "inetd" : "module",
                .accounting = o->unwatched ? "none" : "worker",
                .counts = {.unwatched = (unsigned)o->unwatched},
                .limits = {.scaling = (int)o->scaling,
                           .max_workers = (unsigned)o->max,
                           .min_spare = (unsigned)o->min_spare,
                           .max_spare = (unsigned)o->max_spare,
                           .spare_timeout_ms = o->timeout_s * 1000},
                .refuses = o->refuse,
                .max_requests = o->max_requests,
                .adaptive = {.level = o->level, .off_delay_ms = o->delay_s * 1000, .spare = o->ahead},
                .starts = {.cpu_us = o->start_cpu_us,
                           .duration_us = o->start_us,
                           .worker_bytes = o->new_kb << 10,
                           .worth_ms = o->worth_s * 1000},
                .peaks = {.observed_ms = o->hours * 3600000, .busy = (unsigned)o->busy, .demand = (unsigned)o->demand},
                .concurrency = {.work_ms = o->known_s * 1000, .p999 = (unsigned)o->p999},
                .waits = {.buckets = {[5] = o->quick_waits, [15] = o->late_waits, [25] = o->long_waits}},
                .totals = {.requests = o->requests,
                           .busy_ns = o->busy_s * 1000000000,
                           .handler_cpu_us = o->cpu_s * 1000000,
                           .saturations = o->full,
                           .saturated_ms = o->full_s * 1000,
                           .refused_full = o->refused,
                           .forked_scale = o->started,
                           .recycled = o->recycled}};
}

/* "KEEP max_workers 50: why", as one line. */
static void describe(const struct sizing *sizing, const char *option, char *ret, size_t size)
{
        ret[0] = '\0';
        for (size_t i = 0; i < sizing->count; i++) {
                const struct sizing_advice *advice = &sizing->items[i];
                if (text_equal(advice->option, option))
                        snprintf(ret, size, "%s %s%s%s: %s", sizing_verdict_name(advice->verdict), advice->present,
                                 advice->value[0] ? " to " : "", advice->value, text_string(&advice->why));
        }
}

static void judge(const char *line, struct sizing *ret)
{
        const struct observed observed = parse(line);
        const struct status_pool pool = pool_of(&observed);
        struct sizing_worker workers[WORKERS] = {0};

        /* Each has served 100 requests more than the one before. */
        for (size_t i = 0; i < observed.workers; i++)
                workers[i] = (struct sizing_worker){.requests = 100 * i,
                                                    .private_bytes = (observed.worker_mb << 20) +
                                                                     (observed.growth_kb << 10) * 100 * i,
                                                    .busy = i % 2 == 0};
        const struct sizing_input input = {.pool = &pool,
                                           .workers = workers,
                                           .worker_count = observed.workers,
                                           .memory_bytes = observed.memory_mb << 20,
                                           .memory_of = "the machine",
                                           .cpus = (unsigned)observed.cpus};
        assert_int_equal(sizing_judge(&input, ret), 0);
}

static void test_table(void **state)
{
        static const struct {
                const char *observed, *option, *expected;
        } rows[] = {
#include "sizing_rows.inc"
        };
        bool wrong = false;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(sizing_clear) struct sizing sizing = {0};
                char found[1024];
                judge(rows[i].observed, &sizing);
                describe(&sizing, rows[i].option, found, sizeof(found));
                if (text_equal(found, rows[i].expected))
                        continue;
                print_message("{\"%s\", \"%s\",\n \"%s\"},\n", rows[i].observed, rows[i].option, found);
                wrong = true;
        }
        assert_false(wrong);
}

/* Whatever is observed, what is advised is a value that can be, and no sentence is missing. */
static void test_random(void **state)
{
        (void)state;
        srandom(13);
        for (unsigned i = 0; i < 20000; i++) {
                _cleanup_(sizing_clear) struct sizing sizing = {0};
                char line[2048] = "";
                for (size_t k = 0; k < ELEMENTS(keys); k++) {
                        static const uint64_t most[] = {1, 3, 20, 400, 100000, 1000000000};
                        uint64_t value = (uint64_t)random() % most[(size_t)random() % ELEMENTS(most)];
                        if (text_equal(keys[k].name, "scaling"))
                                value %= 4;
                        if (text_equal(keys[k].name, "workers"))
                                value %= WORKERS + 1;
                        if (text_equal(keys[k].name, "max"))
                                value = value % 65000 + 1;
                        if (random() % 3 == 0)
                                snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s=%llu ", keys[k].name,
                                         (unsigned long long)value);
                }
                judge(line, &sizing);
                assert_true(sizing.count >= 2);
                for (size_t k = 0; k < sizing.count; k++) {
                        const struct sizing_advice *advice = &sizing.items[k];
                        assert_true(advice->why.length > 0);
                        assert_int_equal(advice->verdict == SIZING_CHANGE, advice->value[0] != '\0');
                        assert_string_not_equal(advice->value, advice->present);
                        assert_string_not_equal(advice->value, "0");
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_random),
        };

        return cmocka_run_group_tests_name("sizing", tests, NULL, NULL);
}
