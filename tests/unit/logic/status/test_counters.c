#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "logic/status/counters.h"
#include "prefork/scoreboard.h"

static void test_each_row_is_complete(void **state)
{
        (void)state;
        for (int id = 0; id < COUNTER_COUNT; id++) {
                assert_true(strlen(counter_table[id].name) > 0);
                assert_true(strlen(counter_table[id].help) > 0);
                for (int other = 0; other < id; other++)
                        assert_string_not_equal(counter_table[id].name, counter_table[other].name);
        }
}

static void test_a_counter_is_found_by_its_number(void **state)
{
        struct counters counters = {.forked = 1, .handler_deaths = 2};

        (void)state;
        assert_ptr_equal(counter_of(&counters, COUNTER_forked), &counters.forked);
        assert_ptr_equal(counter_of(&counters, COUNTER_requests), &counters.requests);
        assert_ptr_equal(counter_of(&counters, COUNTER_handler_deaths), &counters.handler_deaths);
}

static void test_units(void **state)
{
        const struct counters counters = {.requests = 3999, .busy_ns = 3999999, .handler_cpu_us = 3999};

        (void)state;
        assert_int_equal(counter_shown(&counters, COUNTER_requests), 3999);
        assert_int_equal(counter_shown(&counters, COUNTER_busy_ns), 3);
        assert_int_equal(counter_shown(&counters, COUNTER_handler_cpu_us), 3);
}

/* Each word of a slot and of the board goes into its own counter, and into no other. */
static void test_words(void **state)
{
        struct prefork_scoreboard *board = calloc(1, sizeof(*board));
        struct prefork_slot *slot = &board->slots[0];
        const struct counters of_slot = {.requests = 1,
                                         .busy_ns = 2,
                                         .handler_cpu_us = 3,
                                         .handler_deaths = 4,
                                         .handler_crashes = 9,
                                         .handler_failures = 6,
                                         .refused = 5,
                                         .refused_source = 5,
                                         .lost = 8};
        const struct counters of_board = {.refused = 7, .refused_full = 7};
        struct counters sum = {0};

        (void)state;
        atomic_store(&slot->requests_ended, 1);
        atomic_store(&slot->busy_ns, 2);
        atomic_store(&slot->handler_cpu_us, 3);
        atomic_store(&slot->handler_deaths, 4);
        atomic_store(&slot->handler_crashes, 9);
        atomic_store(&slot->refused, 5);
        atomic_store(&slot->handler_failures, 6);
        atomic_store(&slot->lost, 8);
        atomic_store(&board->refused, 7);
        counters_read_slot(&sum, slot);
        assert_memory_equal(&sum, &of_slot, sizeof(sum));
        counters_read_board(&sum, board);
        assert_memory_equal(&sum, &of_board, sizeof(sum));
        free(board);
}

/* What a worker writes is gossip: no sum wraps. */
static void test_sums_stop_at_the_top(void **state)
{
        struct counters sum, most;

        (void)state;
        memset(&most, 0xff, sizeof(most));
        sum = most;
        counters_add(&sum, &most);
        assert_memory_equal(&sum, &most, sizeof(sum));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_row_is_complete),
                cmocka_unit_test(test_a_counter_is_found_by_its_number),
                cmocka_unit_test(test_units),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_sums_stop_at_the_top),
        };

        return cmocka_run_group_tests_name("counters", tests, NULL, NULL);
}
