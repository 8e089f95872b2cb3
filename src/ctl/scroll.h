/* What of two tables fits on a screen: `top` shows pools and, below a blank line, workers, each under a heading, and they
 * scroll as one list. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ctl_scroll_view {
        size_t above, below; /* rows that are not shown; `above` is the first row that is */
        size_t first_pool, pools;
        bool has_workers;    /* their heading is shown; that of the pools, if any of them is */
        size_t first_worker, workers;
};

/* What `lines` lines show, headings and the blank line among them, from the row `first` on, or from the last one with which
 * the end of the list is seen. A list that fits does not scroll, and stepping by what was shown leaves no row out. */
struct ctl_scroll_view ctl_scroll_view(size_t pools, size_t workers, size_t lines, size_t first);
