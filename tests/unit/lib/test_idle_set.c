#include "unit/board_helpers.h"

static const uint32_t corners[] = {0, 1, 62, 63, 64, 127, 128, 4095, PREFORK_SCOREBOARD_SLOTS - 1};
#define CORNERS (sizeof(corners) / sizeof(corners[0]))

static void test_add_and_remove(void **state)
{
        struct prefork_scoreboard *board = ((struct fixture *)*state)->board;

        for (size_t i = 0; i < CORNERS; i++) {
                assert_false(idle_set_has(board, corners[i]));
                assert_false(idle_set_remove(board, corners[i]));
                idle_set_add(board, corners[i]);
                idle_set_add(board, corners[i]);
                assert_true(idle_set_has(board, corners[i]));
                assert_int_equal(idle_set_count(board), i + 1); /* the others have not changed */
        }
        for (size_t i = 0; i < CORNERS; i++) {
                assert_true(idle_set_remove(board, corners[i]));
                assert_false(idle_set_remove(board, corners[i]));
                assert_int_equal(idle_set_count(board), CORNERS - i - 1);
        }
}

static void test_counts_up_to_the_limit(void **state)
{
        struct prefork_scoreboard *board = ((struct fixture *)*state)->board;

        for (uint32_t i = 0; i < 200; i++)
                idle_set_add(board, i);
        idle_set_add(board, PREFORK_SCOREBOARD_SLOTS - 1);
        board->slot_limit = 0;
        assert_int_equal(idle_set_count(board), 0);
        board->slot_limit = 64;
        assert_int_equal(idle_set_count(board), 64);
        board->slot_limit = 200;
        assert_int_equal(idle_set_count(board), 200);
        board->slot_limit = PREFORK_SCOREBOARD_SLOTS;
        assert_int_equal(idle_set_count(board), 201);
}

/* A bad worker may overwrite the limit. */
static void test_bad_limit_leads_nowhere(void **state)
{
        struct prefork_scoreboard *board = ((struct fixture *)*state)->board;

        idle_set_add(board, 7);
        memset(board->slots, 0xff, 64 * sizeof(board->slots[0])); /* the memory behind the set */
        board->slot_limit = PREFORK_SCOREBOARD_SLOTS + 64;
        assert_int_equal(idle_set_count(board), 1);
        board->slot_limit = UINT32_MAX;
        assert_int_equal(idle_set_count(board), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_add_and_remove, board_setup, board_teardown),
                cmocka_unit_test_setup_teardown(test_counts_up_to_the_limit, board_setup, board_teardown),
                cmocka_unit_test_setup_teardown(test_bad_limit_leads_nowhere, board_setup, board_teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
