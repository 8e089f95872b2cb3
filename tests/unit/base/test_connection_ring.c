/* The ring of records: order, bounds, wake-ups; workers that stop in the middle, write at the same time, or write
 * garbage. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/connection_ring.h"

#define CELLS CONNECTION_RING_CELLS
#define WRITERS 4
#define BY_EACH 50000

static struct connection_ring *ring;
static uint32_t at;
static struct connection_record taken[CELLS];

static int setup(void **state)
{
        (void)state;
        at = 0;
        ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return ring == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
        (void)state;
        return munmap(ring, sizeof(*ring));
}

static bool put(int32_t worker, uint32_t number)
{
        return connection_ring_put(ring, &(const struct connection_record){.worker = worker, .uid = number});
}

static size_t take(size_t most)
{
        return connection_ring_take(ring, &at, taken, most);
}

/* Take all, which are records of that worker with these numbers. */
static void expect(int32_t worker, uint32_t first, size_t count)
{
        assert_int_equal(take(CELLS), count);
        for (uint32_t i = 0; i < count; i++) {
                assert_int_equal(taken[i].worker, worker);
                assert_int_equal(taken[i].uid, first + i);
        }
}

/* A worker claims the next cell, and stops. Returns its number. */
static uint32_t claim(uint32_t worker)
{
        uint32_t number = atomic_fetch_add(&ring->next, 1);

        ring->states[number % CELLS] |= worker;
        return number;
}

static void test_one_after_the_other(void **state)
{
        (void)state;
        expect(0, 0, 0);
        for (uint32_t i = 0; i < 10 * CELLS; i += 700) {
                for (uint32_t j = 0; j < 700; j++)
                        put(42, i + j);
                assert_int_equal(take(100), 100);
                assert_int_equal(taken[99].uid, i + 99);
                expect(42, i + 100, 600);
                expect(0, 0, 0);
        }
        assert_int_equal(connection_ring_take_dropped(ring), 0);
}

/* The numbers go on over 2^32. */
static void test_numbers_wrap(void **state)
{
        (void)state;
        at = UINT32_MAX - CELLS + 1;
        atomic_store(&ring->next, at);
        for (uint32_t i = 0; i < CELLS; i++)
                ring->states[i] = (uint64_t)(at / CELLS) << 32;
        for (uint32_t i = 0; i < 5 * CELLS; i += 1000) {
                for (uint32_t j = 0; j < 1000; j++)
                        put(42, i + j);
                expect(42, i, 1000);
        }
        assert_true(at < 5 * CELLS);
        assert_int_equal(connection_ring_take_dropped(ring), 0);
}

/* The first one wakes the master; the others do not, until half of the cells are used. When it looks no more, one does
 * again. */
static void test_wake_ups(void **state)
{
        (void)state;
        for (unsigned pass = 0; pass < 3; pass++) {
                assert_true(put(42, 0));
                for (uint32_t i = 1; i < CELLS; i++)
                        assert_int_equal(put(42, i), i == CELLS / 2);
                expect(42, 0, CELLS);
                assert_false(put(42, CELLS));
                assert_true(connection_ring_is_told(ring));
                connection_ring_listen(ring);
                expect(42, CELLS, 1);
                assert_false(connection_ring_is_told(ring));
                connection_ring_expect(ring);
                assert_false(put(42, 0));
                expect(42, 0, 1);
                connection_ring_listen(ring);
        }
}

static void test_no_room(void **state)
{
        (void)state;
        for (uint32_t i = 0; i < CELLS + 7; i++)
                put(42, i);
        assert_int_equal(connection_ring_take_dropped(ring), 7);
        expect(42, 0, CELLS);
        put(42, 5);
        expect(42, 5, 1);
        assert_int_equal(connection_ring_take_dropped(ring), 0);
        for (uint32_t i = 0; i < CELLS; i++)
                put(42, i);
        connection_ring_listen(ring);
        assert_true(put(42, CELLS)); /* one that finds no room wakes the master as well */
        assert_int_equal(connection_ring_take_dropped(ring), 1);
}

/* Its worker has stopped after it has claimed a cell: all others pass, until they come round to it. */
static void test_a_cell_that_is_held(void **state)
{
        (void)state;
        put(42, 0);
        uint32_t held = claim(43);
        put(42, 1);
        expect(42, 0, 2);
        assert_true(connection_ring_is_held(ring, at));
        assert_int_equal(at, held);
        for (uint32_t i = 2; i < CELLS; i++)
                put(42, i);
        put(42, CELLS);
        assert_int_equal(connection_ring_take_dropped(ring), 1);
        expect(42, 2, CELLS - 2);
        /* It goes on. */
        ring->records[held % CELLS] = (struct connection_record){.worker = 43, .uid = 99};
        ring->states[held % CELLS] = (uint64_t)(held / CELLS) << 32 | 1;
        expect(43, 99, 1);
        assert_false(connection_ring_is_held(ring, at));
        put(42, 7);
        expect(42, 7, 1);
}

static void test_a_cell_that_is_skipped(void **state)
{
        (void)state;
        for (unsigned pass = 0; pass < 3 * CELLS; pass++) {
                claim(43);
                put(42, pass);
                expect(42, pass, 1);
                connection_ring_skip(ring, &at);
                expect(0, 0, 0);
                assert_false(connection_ring_is_held(ring, at));
        }
        assert_int_equal(connection_ring_take_dropped(ring), 3 * CELLS);
}

/* A worker that has claimed a cell and not moved the number on: another one does. */
static void test_a_number_that_was_not_moved_on(void **state)
{
        (void)state;
        claim(43);
        atomic_fetch_sub(&ring->next, 1);
        put(42, 5);
        expect(42, 5, 1);
        assert_true(connection_ring_is_held(ring, at));
}

static void *write_many(void *context)
{
        int32_t worker = *(const int32_t *)context;

        for (uint32_t i = 0; i < BY_EACH; i++)
                put(worker, i);
        return NULL;
}

/* Nothing is lost uncounted or comes twice, and records of one worker keep their order. */
static void test_writers_at_once(void **state)
{
        pthread_t threads[WRITERS];
        int32_t workers[WRITERS];
        int64_t last[WRITERS];
        uint64_t sum = 0, dropped = 0;

        (void)state;
        for (int i = 0; i < WRITERS; i++) {
                workers[i] = 100 + i;
                last[i] = -1;
                assert_int_equal(pthread_create(&threads[i], NULL, write_many, &workers[i]), 0);
        }
        while (sum + dropped < (uint64_t)WRITERS * BY_EACH) {
                size_t count = take(CELLS);
                for (size_t i = 0; i < count; i++) {
                        int writer = taken[i].worker - 100;
                        assert_in_range(writer, 0, WRITERS - 1);
                        assert_true((int64_t)taken[i].uid > last[writer]);
                        last[writer] = taken[i].uid;
                }
                sum += count;
                dropped += connection_ring_take_dropped(ring);
                if (count == 0)
                        sched_yield();
        }
        for (int i = 0; i < WRITERS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(sum + dropped, (uint64_t)WRITERS * BY_EACH);
        assert_true(sum > 0);
        expect(0, 0, 0);
}

static uint64_t scribble(unsigned *seed)
{
        const uint64_t numbers[] = {0,
                                    UINT64_MAX,
                                    (uint64_t)rand_r(seed),
                                    (uint64_t)(at / CELLS) << 32 | 1,
                                    (uint64_t)(at / CELLS) << 32 | 4711,
                                    (uint64_t)(at / CELLS + 1) << 32 | 4711,
                                    (uint64_t)rand_r(seed) << 33 | (uint64_t)rand_r(seed)};

        return numbers[(size_t)rand_r(seed) % ELEMENTS(numbers)];
}

/* Whatever is there, a look has an end and takes no more than there are cells; then all is as before. */
static void test_garbage(void **state)
{
        unsigned seed = 1;

        (void)state;
        for (unsigned pass = 0; pass < 500; pass++) {
                unsigned looks = 0;
                for (uint32_t i = 0; i < CELLS; i++)
                        ring->states[i] = scribble(&seed);
                atomic_store(&ring->next, (uint32_t)scribble(&seed) + (uint32_t)rand_r(&seed) % 3000);
                atomic_store(&ring->taken, (uint32_t)scribble(&seed));
                atomic_store(&ring->is_told, (uint32_t)scribble(&seed));
                while (take(CELLS) > 0 || connection_ring_is_held(ring, at)) {
                        assert_true(looks++ < 3 * CELLS);
                        if (connection_ring_is_held(ring, at))
                                connection_ring_skip(ring, &at);
                }
                /* What is left of it is in cells that are not used yet. */
                for (uint32_t i = 0; i < 2 * CELLS; i++) {
                        put(42, i);
                        take(CELLS);
                        if (connection_ring_is_held(ring, at))
                                connection_ring_skip(ring, &at);
                }
                connection_ring_take_dropped(ring);
                for (uint32_t i = 0; i < 2 * CELLS; i++) {
                        put(42, i);
                        expect(42, i, 1);
                }
                assert_int_equal(connection_ring_take_dropped(ring), 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_one_after_the_other, setup, teardown),
                cmocka_unit_test_setup_teardown(test_numbers_wrap, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wake_ups, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_cell_that_is_held, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_cell_that_is_skipped, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_number_that_was_not_moved_on, setup, teardown),
                cmocka_unit_test_setup_teardown(test_writers_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
