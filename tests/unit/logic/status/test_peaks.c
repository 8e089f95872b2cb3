/* What is seen of a pool between the looks of the master. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "logic/status/peaks.h"

/* A look, and the peaks after it. */
struct row {
        struct peaks_view view;
        unsigned busy, queued, demand;
};

static void check(const struct row *rows, size_t count)
{
        struct peaks peaks = {0};

        for (size_t i = 0; i < count; i++) {
                peaks_note(&peaks, 1000 * (i + 1), &rows[i].view);
                print_message("look %zu\n", i);
                assert_int_equal(peaks.busy, rows[i].busy);
                assert_int_equal(peaks.queued, rows[i].queued);
                assert_int_equal(peaks.demand, rows[i].demand);
                assert_int_equal(peaks.since_ms, 1000);
        }
}

static void test_what_is_there_now(void **state)
{
        static const struct row rows[] = {
                {{.busy = 2, .reporting = 5, .low_water = 3, .queued = 4}, 2, 4, 6},
                {{.busy = 3, .reporting = 5, .low_water = 3, .queued = 0}, 3, 4, 6},
                {{.busy = 3, .reporting = 5, .low_water = 3, .queued = 2}, 3, 4, 6},
                {{.busy = 6, .reporting = 6, .low_water = 3, .queued = 1}, 6, 4, 7},
                {{.busy = UINT32_MAX, .queued = 5}, UINT32_MAX, 5, UINT32_MAX},
        };

        (void)state;
        check(rows, ELEMENTS(rows));
}

/* Nobody looked while they were busy. */
static void test_what_was_between(void **state)
{
        static const struct row rows[] = {
                {{.busy = 0, .reporting = 5, .low_water = 5}, 0, 0, 0},
                {{.busy = 0, .reporting = 5, .low_water = 2}, 3, 0, 3},  /* three were busy meanwhile */
                {{.busy = 0, .reporting = 9, .low_water = 2}, 3, 0, 3},  /* more workers: the mark is of before */
                {{.busy = 0, .reporting = 9, .low_water = 4}, 5, 0, 5},  /* the mark was set anew, and has fallen */
                {{.busy = 0, .reporting = 7, .low_water = 1}, 6, 0, 6},  /* two have gone: before or after that? */
                {{.busy = 0, .reporting = 9, .low_water = 0}, 7, 0, 7},  /* two have come: the same */
                {{.busy = 0, .reporting = 9, .low_water = 10}, 7, 0, 7}, /* nonsense */
                {{.busy = 0, .reporting = 0, .low_water = 1}, 7, 0, 7},  /* the mark means nothing … */
                {{.busy = 0, .reporting = 9, .low_water = 0}, 7, 0, 7},  /* … or did not at the last look */
                {{.busy = 0, .reporting = 9, .low_water = UINT32_MAX}, 7, 0, 7},
        };

        (void)state;
        check(rows, ELEMENTS(rows));
}

static void test_a_mark_that_is_set_anew(void **state)
{
        struct peaks peaks = {0};

        (void)state;
        peaks_note(&peaks, 1, &(struct peaks_view){.reporting = 9, .low_water = 0});
        peaks_mark(&peaks, 9);
        peaks_note(&peaks, 2, &(struct peaks_view){.reporting = 9, .low_water = 9});
        assert_int_equal(peaks.busy, 0);
        peaks_note(&peaks, 3, &(struct peaks_view){.reporting = 9, .low_water = 7});
        assert_int_equal(peaks.busy, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_there_now),
                cmocka_unit_test(test_what_was_between),
                cmocka_unit_test(test_a_mark_that_is_set_anew),
        };

        return cmocka_run_group_tests_name("peaks", tests, NULL, NULL);
}
