#include "ctl/scroll.h"

#include "base/cleanup.h"

/* The first row of the last page. */
static size_t find_last(size_t pools, size_t workers, size_t lines)
{
        size_t rows = pools + workers, last = rows > 0 ? rows - 1 : 0;
        size_t other_lines = workers > 0 ? 3 : 1; /* two headings and a blank line, or one heading */

        if (rows + other_lines <= lines)
                return 0;
        size_t first = rows + other_lines - lines;
        if (first < pools || workers == 0)
                return MIN_OF(first, last);
        /* On that page the pools and their heading are hidden. */
        first = rows + 1 > lines ? rows + 1 - lines : 0;
        return MIN_OF(MAX_OF(first, pools), last);
}

struct ctl_scroll_view ctl_scroll_view(size_t pools, size_t workers, size_t lines, size_t first)
{
        struct ctl_scroll_view view = {.above = MIN_OF(first, find_last(pools, workers, lines))};

        if (view.above < pools) {
                view.first_pool = view.above;
                view.pools = MIN_OF(pools - view.above, lines > 0 ? lines - 1 : 0);
                size_t rest = lines > view.pools + 1 ? lines - view.pools - 1 : 0;
                /* A heading without a row below it would waste a line. */
                view.has_workers = view.pools == pools - view.above && rest >= (workers > 0 ? 3 : 2);
                view.workers = view.has_workers ? MIN_OF(workers, rest - 2) : 0;
        } else {
                view.has_workers = true;
                view.first_worker = view.above - pools;
                view.workers = MIN_OF(workers - view.first_worker, lines > 0 ? lines - 1 : 0);
        }
        view.below = pools + workers - view.above - view.pools - view.workers;
        return view;
}
