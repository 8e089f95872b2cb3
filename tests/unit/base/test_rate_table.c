#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/rate_table.h"

#define SECOND UINT64_C(1000000000)
#define START (UINT64_C(1000) * SECOND) /* the machine has run for a while */

static int setup(void **state)
{
        struct rate_table *table =
                mmap(NULL, sizeof(*table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_true(table != MAP_FAILED);
        *state = table;
        return 0;
}

static int teardown(void **state)
{
        return munmap(*state, sizeof(struct rate_table));
}

static uint64_t random64(unsigned *seed)
{
        uint64_t high = (uint64_t)rand_r(seed) << 33, middle = (uint64_t)rand_r(seed) << 11;

        return high ^ middle ^ (uint64_t)rand_r(seed);
}

/* A source of that set. */
static uint64_t in_set(uint64_t set, uint64_t number)
{
        return (number + 1) << 44 | set;
}

/* How many of so many connections at one moment are admitted. */
static unsigned admitted(struct rate_table *table, uint64_t source, unsigned count, uint64_t now_ns)
{
        unsigned sum = 0;

        for (unsigned i = 0; i < count; i++)
                sum += rate_table_take(table, source, now_ns);
        return sum;
}

static void test_no_limit(void **state)
{
        struct rate_table *table = *state;

        assert_false(rate_table_limits_sources(table));
        assert_int_equal(admitted(table, 7, 1000, START), 1000);
        assert_true(rate_table_reserve(table, 4, START) == START);
        rate_words_set(&table->of_source, 1, 1000, 1);
        assert_true(rate_table_limits_sources(table));
        rate_words_set(&table->of_source, 0, 0, 0);
        assert_false(rate_table_limits_sources(table));
}

static void test_a_burst_and_then_the_rate(void **state)
{
        struct rate_table *table = *state;

        rate_words_set(&table->of_source, 600, 60000, 20);
        assert_int_equal(admitted(table, 99, 30, START), 20);
        assert_int_equal(admitted(table, 98, 30, START), 20); /* another has its own */
        assert_int_equal(admitted(table, 99, 9, START + SECOND / 10 - 1000), 0);
        assert_int_equal(admitted(table, 99, 9, START + SECOND / 10), 1);
        assert_int_equal(admitted(table, 99, 9, START + SECOND), 9);
        assert_int_equal(admitted(table, 99, 30, START + 2 * SECOND), 10);
        assert_int_equal(admitted(table, 99, 30, START + 3600 * SECOND), 20); /* no more, after however long */
        /* A worker that looked at the clock a while ago gives nothing more. */
        assert_int_equal(admitted(table, 99, 30, START + 3570 * SECOND), 0);
}

static void test_refusals_cost_nothing(void **state)
{
        struct rate_table *table = *state;

        rate_words_set(&table->of_source, 1, 1000, 1);
        assert_int_equal(admitted(table, 5, 100000, START), 1);
        assert_int_equal(admitted(table, 5, 100000, START + SECOND), 1);
}

#define ARRIVALS 2000

/* Never more than burst + rate × time, over any time; and whoever keeps the distance is never refused. */
static void test_any_arrivals(void **state)
{
        static uint64_t times[ARRIVALS];
        struct rate_table *table = *state;
        unsigned seed = 4711;

        for (unsigned round = 0; round < 300; round++) {
                static const uint64_t periods_ms[] = {1000, 60000, 3600000};
                uint64_t count = 1 + random64(&seed) % 1000, period_ms = periods_ms[random64(&seed) % 3];
                uint64_t burst = 1 + random64(&seed) % 50, source = random64(&seed) | 1, now_ns = START;
                uint64_t step_ns = (period_ms * 1000000 + count - 1) / count, polite = random64(&seed) | 1;
                uint64_t polite_step_ns = (step_ns / 1000 + 2) * 1000, next_polite_ns = START;
                size_t served = 0;

                rate_words_set(&table->of_source, count, period_ms, burst);
                for (unsigned i = 0; i < ARRIVALS; i++) {
                        now_ns += random64(&seed) % 8 == 0 ? random64(&seed) % (step_ns * 2 * burst)
                                                           : random64(&seed) % (step_ns / 2 + 1);
                        if (rate_table_take(table, source, now_ns))
                                times[served++] = now_ns;
                        for (; next_polite_ns <= now_ns; next_polite_ns += polite_step_ns)
                                assert_true(rate_table_take(table, polite, next_polite_ns));
                }
                for (size_t from = 0; from < served; from++)
                        for (size_t to = from; to < served; to += 1 + to % 7) {
                                uint64_t elapsed_ns = times[to] - times[from] + 1000; /* it counts microseconds */
                                assert_true((to - from + 1) * step_ns <= burst * step_ns + elapsed_ns);
                        }
        }
}

/* Who is forgotten in a full set has used the least, and loses nothing. */
static void test_a_full_set(void **state)
{
        struct rate_table *table = *state;

        rate_words_set(&table->of_source, 1, 1000, 10);
        for (unsigned i = 0; i < RATE_WAYS; i++)
                assert_int_equal(admitted(table, in_set(9, i), 3 + i, START), 3 + i);
        assert_int_equal(admitted(table, in_set(9, 100), 1, START), 1); /* in the place of the first */
        assert_int_equal(admitted(table, in_set(9, 0), 20, START), 10); /* which begins anew, in that place */
        for (unsigned i = 1; i < RATE_WAYS; i++)                        /* the others are known */
                assert_int_equal(admitted(table, in_set(9, i), 20, START), 10 - 3 - i);
        assert_int_equal(admitted(table, in_set(10, 0), 20, START), 10); /* and other sets not concerned */
}

/* Half a year after the machine has started the bits of the time begin anew. */
static void test_the_time_wraps(void **state)
{
        const uint64_t wrap_ns = (UINT64_C(1) << 44) * 1000;
        struct rate_table *table = *state;

        rate_words_set(&table->of_source, 10, 1000, 20);
        for (unsigned i = 0; i < RATE_WAYS; i++)
                assert_int_equal(admitted(table, in_set(9, i), 5, wrap_ns - SECOND), 5);
        for (unsigned i = 0; i < RATE_WAYS; i++)
                assert_int_equal(admitted(table, in_set(9, i), 20, wrap_ns - SECOND), 15);
        for (unsigned i = 0; i < RATE_WAYS; i++)
                assert_int_equal(admitted(table, in_set(9, i), 20, wrap_ns + SECOND / 2), 15);
}

/* Whatever is written there: who comes for the first time is admitted, and who is taken for another soon is. */
static void test_garbage(void **state)
{
        struct rate_table *table = *state;
        unsigned seed = 1;

        rate_words_set(&table->of_source, 60, 60000, 5);
        for (unsigned round = 0; round < 20000; round++) {
                uint64_t source = random64(&seed) | 1, now_ns = START + random64(&seed) % (1000000 * SECOND);
                _Atomic uint64_t *set = table->buckets[source % RATE_SETS];
                for (unsigned i = 0; i < RATE_WAYS; i++)
                        set[i] = random64(&seed);
                set[3] = round % 2 ? source >> 44 << 44 | random64(&seed) >> 20 : set[3];
                bool is_admitted = rate_table_take(table, source, now_ns);
                assert_true(is_admitted || round % 2);
                assert_true(is_admitted || rate_table_take(table, source, now_ns + 66 * SECOND));
                assert_true(rate_table_take(table, source, now_ns + 90 * SECOND));
                assert_true(admitted(table, source, 20, now_ns + 90 * SECOND) <= 4);
        }
        table->of_source.step_ns = UINT64_MAX; /* and in the master's words: nothing worse than a limit */
        table->of_source.burst = UINT64_MAX;
        rate_table_take(table, 1, START);
        table->of_pool.step_ns = UINT64_MAX;
        table->of_pool.burst = UINT64_MAX;
        assert_true(rate_table_reserve(table, UINT32_MAX, START) == START);
}

static void test_connections_of_the_pool_wait_in_their_order(void **state)
{
        struct rate_table *table = *state;

        rate_words_set(&table->of_pool, 50, 1000, 3);
        for (unsigned i = 0; i < 3; i++)
                assert_true(rate_table_reserve(table, 8, START) == START);
        for (unsigned i = 1; i <= 5; i++)
                assert_true(rate_table_reserve(table, 8, START) == START + i * SECOND / 50);
        assert_true(rate_table_reserve(table, 8, START + SECOND / 50) == START + 6 * SECOND / 50);
        assert_true(rate_table_reserve(table, 8, START + SECOND) == START + SECOND); /* everybody was served */
}

/* Tokens that nobody waits for any more, and garbage, cost no more than all workers of the pool could. */
static void test_no_wait_is_without_end(void **state)
{
        static const uint64_t words[] = {UINT64_MAX, START + 1000000 * SECOND, START + 60 * SECOND};
        struct rate_table *table = *state;

        rate_words_set(&table->of_pool, 10, 1000, 5);
        for (size_t i = 0; i < ELEMENTS(words); i++) {
                table->pool = words[i];
                assert_true(rate_table_reserve(table, 4, START) == START + 5 * SECOND / 10);
                assert_true(rate_table_reserve(table, 4, START + 2 * SECOND) == START + 2 * SECOND);
        }
        table->pool = START + 3600 * SECOND; /* a lower rate has left that */
        rate_words_set(&table->of_pool, 1000, 1000, 1);
        assert_true(rate_table_reserve(table, 4, START) <= START + 5 * SECOND / 1000);
}

#define THREADS 4
#define TRIES 200000

struct hammer {
        struct rate_table *table;
        pthread_barrier_t *begin;
        uint64_t source;
        unsigned admitted, reserved;
};

static void *hammer(void *context)
{
        struct hammer *hammer = context;

        pthread_barrier_wait(hammer->begin);
        for (unsigned i = 0; i < TRIES; i++) {
                hammer->admitted += rate_table_take(hammer->table, hammer->source, START);
                hammer->reserved += rate_table_reserve(hammer->table, THREADS, START) == START;
        }
        return NULL;
}

/* At one moment, whatever threads do: exactly the burst; of a source, of several in one set, and of the pool. */
static void test_threads(void **state)
{
        struct rate_table *table = *state;
        struct hammer hammers[THREADS];
        pthread_t threads[THREADS];
        pthread_barrier_t begin;
        unsigned admitted = 0, reserved = 0;

        rate_words_set(&table->of_source, 1, 1000, TRIES);
        rate_words_set(&table->of_pool, 1, 1000, UINT64_C(2) * TRIES);
        assert_int_equal(pthread_barrier_init(&begin, NULL, THREADS), 0);
        for (unsigned i = 0; i < THREADS; i++) {
                hammers[i] = (struct hammer){.table = table, .begin = &begin, .source = in_set(3, i / 2)};
                assert_int_equal(pthread_create(&threads[i], NULL, hammer, &hammers[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
                assert_int_equal(pthread_join(threads[i], NULL), 0);
                admitted += hammers[i].admitted;
                reserved += hammers[i].reserved;
        }
        pthread_barrier_destroy(&begin);
        assert_int_equal(admitted, 2 * TRIES);
        assert_int_equal(reserved, 2 * TRIES);
}

#define FORGED 1000000
#define POLITE_TRIES 100000

/* A million forged sources connect once and again, as fast as they can, while one keeps to its rate: it is never
 * refused, and each look-up takes less than a microsecond. */
static void test_a_flood(void **state)
{
        static uint64_t forged[FORGED];
        struct rate_table *table = *state;
        const uint64_t polite = 0x123456789abcdef1ULL, gap_ns = SECOND / 10;
        unsigned refused = 0, forged_refused = 0, seed = 42;
        struct timespec begun, ended;
        uint64_t now_ns = START;
        size_t looks = 0;

        rate_words_set(&table->of_source, 600, 60000, 20);
        for (size_t i = 0; i < FORGED; i++)
                forged[i] = random64(&seed) | 1;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
        for (unsigned i = 0; i < POLITE_TRIES; i++, now_ns += gap_ns) {
                refused += !rate_table_take(table, polite, now_ns);
                for (unsigned j = 0; j < 40; j++, looks++) /* 400 a second, those of a part all the time */
                        forged_refused += !rate_table_take(table, forged[looks % (i % 2 ? FORGED : 7)], now_ns);
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
        int64_t ns = (ended.tv_sec - begun.tv_sec) * 1000000000 + ended.tv_nsec - begun.tv_nsec;
        print_message("%zu forged, %u of them refused; %u of %u refused; %lld ns each\n", looks, forged_refused,
                      refused, POLITE_TRIES, (long long)(ns / (int64_t)(looks + POLITE_TRIES)));
        assert_int_equal(refused, 0);
        assert_true(forged_refused > 1000000);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        assert_true(ns / (int64_t)(looks + POLITE_TRIES) < 1000);
#endif
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_TABLE(test_no_limit),
                WITH_TABLE(test_a_burst_and_then_the_rate),
                WITH_TABLE(test_refusals_cost_nothing),
                WITH_TABLE(test_any_arrivals),
                WITH_TABLE(test_a_full_set),
                WITH_TABLE(test_the_time_wraps),
                WITH_TABLE(test_garbage),
                WITH_TABLE(test_connections_of_the_pool_wait_in_their_order),
                WITH_TABLE(test_no_wait_is_without_end),
                WITH_TABLE(test_threads),
                WITH_TABLE(test_a_flood),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
