/* The status structure: its words, and its sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "logic/status/status.h"

static void test_what_says_most_wins(void **state)
{
        struct status_pool_context context = {0};

        (void)state;
        assert_int_equal(status_pool_state_of(&context), STATUS_POOL_RUNNING);
        context.saturated = true;
        assert_int_equal(status_pool_state_of(&context), STATUS_POOL_SATURATED);
        context.draining = true;
        assert_int_equal(status_pool_state_of(&context), STATUS_POOL_DRAINING);
        context.backing_off = true;
        assert_int_equal(status_pool_state_of(&context), STATUS_POOL_BACKING_OFF);
        context.not_listening = true;
        assert_int_equal(status_pool_state_of(&context), STATUS_POOL_NOT_LISTENING);
        context.paused = true;
        assert_int_equal(status_pool_state_of(&context), STATUS_POOL_PAUSED);
        context.closing = true;
        assert_int_equal(status_pool_state_of(&context), STATUS_POOL_CLOSING);
}

static void test_worker_states(void **state)
{
        (void)state;
        assert_int_equal(status_worker_state_of(WORKER_STARTING, false, false, false), STATUS_WORKER_STARTING);
        assert_int_equal(status_worker_state_of(WORKER_READY, false, false, false), STATUS_WORKER_IDLE);
        assert_int_equal(status_worker_state_of(WORKER_READY, true, false, false), STATUS_WORKER_BUSY);
        assert_int_equal(status_worker_state_of(WORKER_RETIRING, true, false, false), STATUS_WORKER_RETIRING);
        assert_int_equal(status_worker_state_of(WORKER_DETACHED, true, false, false), STATUS_WORKER_DETACHED);
        assert_int_equal(status_worker_state_of(WORKER_READY, false, true, false), STATUS_WORKER_REFUSING);
        assert_int_equal(status_worker_state_of(WORKER_READY, true, true, true), STATUS_WORKER_STOPPED);
        for (int i = 0; i < STATUS_WORKER_STATE_COUNT; i++)
                assert_true(strlen(status_worker_state_name((enum status_worker_state)i)) > 0);
        for (int i = 0; i < STATUS_POOL_STATE_COUNT; i++)
                assert_true(strlen(status_pool_state_name((enum status_pool_state)i)) > 0);
}

/* Every number of a pool is different, so that one added to another's sum shows. */
static void test_sums(void **state)
{
        struct status_pool pool = {
                .counts =
                        {.starting = 1, .idle = 2, .busy = 3, .detached = 4, .retiring = 5, .total = 6, .old_total = 7},
                .rate = {.per_second = 2.5},
        };
        struct status status = {0};

        (void)state;
        for (int id = 0; id < COUNTER_COUNT; id++)
                *counter_of(&pool.totals, (enum counter_id)id) = 8 + (uint64_t)id;
        status_add_up(&status, &pool);
        assert_memory_equal(&status.counts, &pool.counts, sizeof(pool.counts));
        assert_memory_equal(&status.totals, &pool.totals, sizeof(pool.totals));
        status_add_up(&status, &pool);
        for (int id = 0; id < COUNTER_COUNT; id++)
                assert_int_equal(*counter_of(&status.totals, (enum counter_id)id), 2 * (8 + id));
        assert_int_equal(status.counts.old_total, 14);
        assert_true(status.requests_per_second > 4.9 && status.requests_per_second < 5.1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_says_most_wins),
                                           cmocka_unit_test(test_worker_states), cmocka_unit_test(test_sums)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
