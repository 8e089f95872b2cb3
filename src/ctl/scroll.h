/* Which rows of two tables fit on a screen: `top` shows pools and, below a blank line, workers, each under a heading.
 * Both scroll as one list. Pure; called by ctl/top. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ctl_scroll_view {
        size_t above, below; /* hidden rows; `above` is also the index of the first visible row */
        size_t first_pool, pools;
        bool has_workers; /* their heading is shown; that of the pools, if any of them is */
        size_t first_worker, workers;
};

/* What `lines` lines, including headings and the blank line, show from row `first` on. A `first` beyond the last page
 * is reduced to it. A list that fits does not scroll, and scrolling by the number of rows shown skips no row. */
struct ctl_scroll_view ctl_scroll_view(size_t pools, size_t workers, size_t lines, size_t first);
