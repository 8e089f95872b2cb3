/* Scrolling in `preforkctl top`: every row can be reached on every size of screen, and nothing is drawn outside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ctl/scroll.h"

static size_t lines_of(const struct ctl_scroll_view *view)
{
        return (view->pools > 0 ? view->pools + 1 : 0) + (view->has_workers ? view->workers + 1 : 0) +
               (view->pools > 0 && view->has_workers ? 1 : 0);
}

static void test_what_fits_does_not_scroll(void **state)
{
        const struct ctl_scroll_view view = ctl_scroll_view(2, 5, 10, 100), empty = ctl_scroll_view(0, 0, 10, 3);

        (void)state;
        assert_int_equal(view.above, 0);
        assert_int_equal(view.below, 0);
        assert_int_equal(view.pools, 2);
        assert_int_equal(view.workers, 5);
        assert_int_equal(lines_of(&view), 10);
        assert_int_equal(empty.above + empty.below + empty.pools + empty.workers, 0);
        assert_int_equal(ctl_scroll_view(9, 0, 10, 5).above, 0);
}

static void test_many_pools(void **state)
{
        const struct ctl_scroll_view begin = ctl_scroll_view(22, 30, 20, 0), middle = ctl_scroll_view(22, 30, 20, 12),
                                     end = ctl_scroll_view(22, 30, 20, SIZE_MAX / 2);

        (void)state;
        assert_int_equal(begin.pools, 19);
        assert_false(begin.has_workers);
        assert_int_equal(begin.below, 33);
        assert_int_equal(middle.first_pool, 12);
        assert_int_equal(middle.pools, 10);
        assert_int_equal(middle.workers, 7);
        assert_int_equal(end.pools, 0);
        assert_int_equal(end.first_worker, 11);
        assert_int_equal(end.workers, 19);
        assert_int_equal(end.below, 0);
}

/* Step through a list as Page Down and as the arrow do: every row is shown, and the end is reached. */
static void walk(size_t pools, size_t workers, size_t lines, bool by_page)
{
        size_t seen = 0, first = 0;

        for (;;) {
                const struct ctl_scroll_view view = ctl_scroll_view(pools, workers, lines, first);
                assert_true(view.above <= first && (view.above <= seen || lines < 2));
                assert_true(lines_of(&view) <= lines || view.pools + view.workers == 0);
                assert_int_equal(view.above + view.pools + view.workers + view.below, pools + workers);
                if (view.above + view.pools + view.workers > seen)
                        seen = view.above + view.pools + view.workers;
                if (view.above < first)
                        break;
                size_t page = view.pools + view.workers;
                first += by_page && page > 0 ? page : 1;
        }
        if (lines >= 2)
                assert_int_equal(seen, pools + workers);
}

static void test_everything_is_reached_on_every_screen(void **state)
{
        (void)state;
        for (size_t pools = 0; pools < 12; pools++)
                for (size_t workers = 0; workers < 12; workers++)
                        for (size_t lines = 0; lines < 32; lines++) {
                                walk(pools, workers, lines, false);
                                walk(pools, workers, lines, true);
                        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_fits_does_not_scroll),
                cmocka_unit_test(test_many_pools),
                cmocka_unit_test(test_everything_is_reached_on_every_screen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
