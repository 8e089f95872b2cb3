#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/policy/level_shares.h"

static bool crosses(const struct level_share *share)
{
        return share->idle < share->low_below || share->idle > share->high_above;
}

static void test_one_board_gets_all(void **state)
{
        const uint32_t levels[] = {0, 1, 5, 100, UINT32_MAX};

        (void)state;
        for (size_t low = 0; low < ELEMENTS(levels); low++)
                for (size_t high = 0; high < ELEMENTS(levels); high++) {
                        struct level_share share = {.idle = 5, .workers = 9};
                        level_shares_divide(&share, 1, levels[low], levels[high]);
                        assert_int_equal(share.low_below, levels[low]);
                        assert_int_equal(share.high_above, levels[high]);
                }
}

static void test_levels_that_wake_nobody(void **state)
{
        struct level_share shares[] = {{.idle = 3, .workers = 4}, {.idle = 1, .workers = 4}, {.idle = 0, .workers = 1}};

        (void)state;
        level_shares_divide(shares, ELEMENTS(shares), 0, UINT32_MAX);
        for (size_t i = 0; i < ELEMENTS(shares); i++) {
                assert_int_equal(shares[i].low_below, 0);
                assert_int_equal(shares[i].high_above, UINT32_MAX);
        }
}

/* For small numbers, all of them: nothing is crossed at first unless the sum is, and the sum cannot cross a threshold
 * later unless a board crosses its share. */
static void check(uint32_t first, uint32_t second, uint32_t low, uint32_t high)
{
        struct level_share shares[] = {{.idle = first, .workers = 4}, {.idle = second, .workers = 5}};
        uint32_t sum = first + second;

        level_shares_divide(shares, 2, low, high);
        assert_int_equal(sum < low || sum > high, crosses(&shares[0]) || crosses(&shares[1]));
        for (uint32_t a = 0; a <= 4; a++)
                for (uint32_t b = 0; b <= 5; b++) {
                        shares[0].idle = a;
                        shares[1].idle = b;
                        if (a + b < low || a + b > high)
                                assert_true(crosses(&shares[0]) || crosses(&shares[1]));
                }
}

static void test_the_sum_is_watched(void **state)
{
        (void)state;
        for (uint32_t first = 0; first <= 4; first++)
                for (uint32_t second = 0; second <= 5; second++)
                        for (uint32_t low = 0; low <= 10; low++)
                                for (uint32_t high = 0; high <= 10; high++)
                                        check(first, second, low, high);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_one_board_gets_all),
                cmocka_unit_test(test_levels_that_wake_nobody),
                cmocka_unit_test(test_the_sum_is_watched),
        };

        return cmocka_run_group_tests_name("level_shares", tests, NULL, NULL);
}
