#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "logic/status/tally.h"

#define LAUNCHED_MS 1000000
#define CPUS 2

static struct prefork_slot slot;
static struct tally tally;

static int setup(void **state)
{
        (void)state;
        memset((void *)&slot, 0, sizeof(slot));
        tally = (struct tally){.since_ms = LAUNCHED_MS, .looked_ms = LAUNCHED_MS};
        return 0;
}

/* Look when the worker is so old; the name of the lie, or "". */
static const char *look(uint64_t age_ms)
{
        struct tally_words words;

        tally_read(&words, &slot);
        struct tally_lie lie = tally_count(&tally, &words, LAUNCHED_MS + age_ms, CPUS);
        return lie.name ? lie.name : "";
}

/* What an honest worker says when a request that took so long has ended. */
static void serve(uint64_t duration_ms, unsigned bucket)
{
        slot.waits[duration_ms % 2]++;
        slot.requests_begun++;
        slot.busy_ns += duration_ms * 1000000;
        slot.handler_cpu_us += duration_ms * 500;
        slot.durations[bucket]++;
        slot.handler_failures++;
        slot.requests_ended++;
}

/* What an honest worker says of connections that it refuses after their wait. */
static void refuse(unsigned late, unsigned unread)
{
        slot.waits[20] += late + unread;
        slot.refused_wait += late;
        slot.refused_banner += unread;
}

static void test_waits_of_refused_connections(void **state)
{
        (void)state;
        for (int i = 0; i < 100; i++)
                serve(10, 14);
        refuse(70, 30);
        assert_string_equal(look(10000), "");
        assert_int_equal(tally.counted.waits[20], 100);
        assert_int_equal(tally.counted.counters.refused, 100);
        assert_int_equal(tally.counted.counters.refused_wait, 70);
        assert_int_equal(tally.counted.counters.refused_banner, 30);
        slot.waits[20] += 2;
        assert_string_equal(look(20000), "waits");
}

static void test_an_honest_worker_is_believed(void **state)
{
        const struct counters expected = {
                .requests = 1001, .busy_ns = 10000000000, .handler_cpu_us = 5000000, .handler_failures = 1001};

        (void)state;
        for (int i = 0; i < 1000; i++)
                serve(10, 14);
        assert_string_equal(look(10000), "");
        serve(0, 0);
        assert_string_equal(look(10001), "");
        assert_memory_equal(&tally.counted.counters, &expected, sizeof(expected));
        assert_int_equal(tally.counted.begun, 1001);
        assert_int_equal(tally.counted.durations[14], 1000);
        assert_int_equal(tally.counted.durations[0], 1);
        assert_int_equal(tally.counted.waits[0], 1001);
}

/* The words of a request are written one after another, and may be read in between. */
static void test_a_request_is_seen_while_it_ends(void **state)
{
        (void)state;
        slot.requests_begun++;
        assert_string_equal(look(5), "");
        slot.busy_ns += 5000000;
        slot.durations[13]++;
        slot.handler_deaths++;
        assert_string_equal(look(5), "");
        slot.requests_ended++;
        assert_string_equal(look(5), "");
        assert_int_equal(tally.counted.counters.handler_deaths, 1);
        assert_int_equal(tally.counted.counters.requests, 1);
}

/* What cannot be is ignored, and what comes after it counts again. */
static void test_a_jump(void **state)
{
        (void)state;
        serve(10, 14);
        assert_string_equal(look(100), "");
        slot.requests_ended += 1000000000;
        assert_string_equal(look(200), "requests");
        assert_int_equal(tally.counted.counters.requests, 1);
        assert_string_equal(look(300), "");
        serve(10, 14);
        assert_string_equal(look(400), "");
        assert_int_equal(tally.counted.counters.requests, 2);
}

static void test_backwards(void **state)
{
        (void)state;
        serve(10, 14);
        serve(10, 14);
        assert_string_equal(look(100), "");
        slot.requests_ended = 0;
        assert_string_equal(look(200), "requests");
        assert_int_equal(tally.counted.counters.requests, 2);
        slot.requests_ended = 2;
        assert_string_equal(look(300), ""); /* it could be */
        assert_int_equal(tally.counted.counters.requests, 4);
        slot.requests_ended = UINT64_MAX;
        assert_string_equal(look(400), "requests");
        slot.requests_ended = 1; /* nothing wraps in a lifetime */
        assert_string_equal(look(500), "requests");
        assert_int_equal(tally.counted.counters.requests, 4);
}

static void test_what_only_its_age_allows(void **state)
{
        (void)state;
        slot.busy_ns = 2000000000;
        assert_string_equal(look(1000), "busy_ms");
        slot.busy_ns += 900000000;
        assert_string_equal(look(1000), "");
        assert_int_equal(tally.counted.counters.busy_ns, 900000000);
        slot.handler_cpu_us = 3000000;
        assert_string_equal(look(1000), "handler_cpu_ms");
        slot.handler_cpu_us += 1900000;
        assert_string_equal(look(1000), "");
        assert_int_equal(tally.counted.counters.handler_cpu_us, 1900000);
}

static void test_what_only_requests_allow(void **state)
{
        (void)state;
        serve(1, 10);
        assert_string_equal(look(1000), "");
        slot.lost += 3;
        assert_string_equal(look(2000), "lost");
        slot.durations[31] += 3;
        assert_string_equal(look(3000), "durations");
        assert_int_equal(tally.counted.counters.lost, 0);
        assert_int_equal(tally.counted.durations[31], 0);
        slot.durations[10]--; /* a negative one is many */
        assert_string_equal(look(4000), "durations");
        assert_int_equal(tally.counted.durations[10], 1);
        slot.waits[3] += 2;
        assert_string_equal(look(5000), "waits");
        assert_int_equal(tally.counted.waits[3], 0);
}

/* Whatever is written, and whenever the master looks, no sum is more than can be. */
static void test_garbage(void **state)
{
        uint64_t seed = 88172645463325252;
        uint64_t *words = (uint64_t *)(void *)&slot;

        (void)state;
        for (uint64_t age_ms = 0; age_ms < 20000; age_ms += 2) {
                for (int i = 0; i < 16; i++) {
                        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
                        words[seed % (sizeof(slot) / 8)] = seed >> (seed >> 20) % 64;
                }
                look(age_ms);
                const struct counters *counted = &tally.counted.counters;
                uint64_t durations = 0, waits = 0;
                for (int i = 0; i < PREFORK_DURATION_BUCKETS; i++) {
                        durations += tally.counted.durations[i];
                        waits += tally.counted.waits[i];
                }
                assert_in_range(waits, 0, counted->requests + counted->refused_wait + counted->refused_banner + 1);
                assert_in_range(counted->requests, 0, (age_ms + 10000) * 1000);
                assert_in_range(counted->busy_ns, 0, (age_ms + 1) * 1000000);
                assert_in_range(counted->handler_cpu_us, 0, (age_ms + 20) * 1000 * CPUS);
                assert_in_range(counted->handler_deaths, 0, counted->requests + 1);
                assert_in_range(durations, 0, counted->requests + 1);
        }
}

/* Whether there is anything to read, without reading it: what a request counts is there when it has begun or ended. */
static void test_news(void **state)
{
        struct tally_words words;

        (void)state;
        assert_true(tally_has_news(&slot, &tally)); /* nobody has looked at all of it */
        assert_true(tally_read(&words, &slot));
        assert_string_equal(look(1), "");
        tally.whole = true;
        assert_false(tally_has_news(&slot, &tally));
        for (unsigned i = 0; i < 6; i++) {
                slot.busy_ns++;
                assert_false(tally_has_news(&slot, &tally)); /* its request has not ended */
                slot.requests_begun += i == 0;
                slot.requests_ended += i == 1;
                slot.refused_wait += i == 2;
                slot.refused += i == 3;
                slot.throttled += i == 4;
                tally.whole = i != 5; /* a brief look was the last one */
                assert_true(tally_has_news(&slot, &tally));
                assert_string_equal(look(i + 2), "");
                tally.whole = true;
                assert_false(tally_has_news(&slot, &tally));
                assert_int_equal(tally.counted.counters.busy_ns, i + 1);
        }
}

static void test_a_brief_look(void **state)
{
        struct tally_words words;

        (void)state;
        assert_false(tally_read_busy(&words, &slot, &tally));
        slot.busy_ns = 1;
        assert_false(tally_read_busy(&words, &slot, &tally));
        slot.refused = 2;
        assert_true(tally_read_busy(&words, &slot, &tally));
        assert_null(tally_count(&tally, &words, LAUNCHED_MS + 1, CPUS).name);
        assert_int_equal(tally.counted.counters.refused, 2);
        assert_int_equal(tally.counted.counters.refused_source, 2);
        assert_int_equal(tally.counted.counters.busy_ns, 0);
        assert_false(tally_read_busy(&words, &slot, &tally));
        assert_string_equal(look(2), "");
        assert_int_equal(tally.counted.counters.busy_ns, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_an_honest_worker_is_believed, setup),
                cmocka_unit_test_setup(test_waits_of_refused_connections, setup),
                cmocka_unit_test_setup(test_a_request_is_seen_while_it_ends, setup),
                cmocka_unit_test_setup(test_a_jump, setup),
                cmocka_unit_test_setup(test_backwards, setup),
                cmocka_unit_test_setup(test_what_only_its_age_allows, setup),
                cmocka_unit_test_setup(test_what_only_requests_allow, setup),
                cmocka_unit_test_setup(test_garbage, setup),
                cmocka_unit_test_setup(test_news, setup),
                cmocka_unit_test_setup(test_a_brief_look, setup),
        };

        return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
