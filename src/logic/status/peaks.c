#include "logic/status/peaks.h"

#include "base/cleanup.h"
#include "base/saturating.h"

/* How many were busy at once when the mark fell to what it is. If the number of workers has changed since the last
 * look, it was at least the lesser one. */
static unsigned busy_between(const struct peaks *peaks, const struct peaks_view *view)
{
        unsigned reporting = MIN_OF(peaks->reporting, view->reporting);

        if (view->low_water == peaks->low_water || reporting <= view->low_water)
                return 0;
        return reporting - view->low_water;
}

void peaks_note(struct peaks *peaks, uint64_t now_ms, const struct peaks_view *view)
{
        uint64_t demand = saturated_add(view->busy, view->queued);

        if (peaks->since_ms == 0)
                peaks->since_ms = now_ms;
        peaks->busy = MAX_OF(peaks->busy, MAX_OF(view->busy, busy_between(peaks, view)));
        peaks->queued = MAX_OF(peaks->queued, view->queued);
        peaks->demand = MAX_OF(MAX_OF(peaks->demand, peaks->busy), (unsigned)MIN_OF(demand, (uint64_t)UINT32_MAX));
        peaks->reporting = view->reporting;
        peaks->low_water = view->low_water;
}

void peaks_mark(struct peaks *peaks, uint32_t low_water)
{
        peaks->low_water = low_water;
}
