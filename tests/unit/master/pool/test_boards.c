#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "master/pool/boards.h"

static struct boards boards;

static int teardown(void **state)
{
        (void)state;
        boards_close(&boards);
        return 0;
}

static void test_the_newest_is_the_present_one(void **state)
{
        (void)state;
        assert_int_equal(boards_open(&boards, "www"), 0);
        struct board *first = boards_present(&boards);
        board_use(first);
        assert_int_equal(boards_open(&boards, "www"), 0);
        assert_ptr_not_equal(boards_present(&boards), first);
        assert_ptr_not_equal(boards_present(&boards)->memory, first->memory);
        assert_null(boards_find_unused(&boards));
        board_leave(first);
        assert_ptr_equal(boards_find_unused(&boards), first);
        boards_drop(&boards, first);
        assert_null(boards_find_unused(&boards)); /* the present one stays, used or not */
        assert_int_equal(boards.count, 1);
}

static void test_there_is_a_limit(void **state)
{
        (void)state;
        for (unsigned i = 0; i < BOARDS_MAX; i++)
                assert_int_equal(boards_open(&boards, "www"), 0);
        const struct board *present = boards_present(&boards);
        assert_int_equal(boards_open(&boards, "www"), -EBUSY);
        assert_ptr_equal(boards_present(&boards), present);
        assert_int_equal(boards_adopt(&boards, dup(present->fd)), -EBUSY);
        assert_int_equal(boards.count, BOARDS_MAX);
}

static void test_others_are_adopted_in_their_order(void **state)
{
        struct boards former = {0};

        (void)state;
        for (int i = 0; i < 2; i++)
                assert_int_equal(boards_open(&former, "www"), 0);
        former.items[0]->memory->tickets = 7;
        former.items[1]->memory->tickets = 8;
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(boards_adopt(&boards, dup(former.items[i]->fd)), 0);
        assert_int_equal(boards.items[0]->memory->tickets, 7);
        assert_int_equal(boards.items[1]->memory->tickets, 8);
        boards_close(&former);
}

static void test_what_is_no_board_is_not_adopted(void **state)
{
        (void)state;
        assert_int_equal(boards_open(&boards, "www"), 0);
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        assert_int_equal(boards_adopt(&boards, fds[0]), -EPROTO);
        assert_int_equal(close(fds[0]), -1); /* closed with it */
        assert_int_equal(boards.count, 1);
        close(fds[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_the_newest_is_the_present_one, teardown),
                cmocka_unit_test_teardown(test_there_is_a_limit, teardown),
                cmocka_unit_test_teardown(test_others_are_adopted_in_their_order, teardown),
                cmocka_unit_test_teardown(test_what_is_no_board_is_not_adopted, teardown),
        };

        return cmocka_run_group_tests_name("boards", tests, NULL, NULL);
}
