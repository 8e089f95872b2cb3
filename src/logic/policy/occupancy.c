#include "logic/policy/occupancy.h"

#include "base/cleanup.h"
#include "base/saturating.h"

#define FIRST_PAUSE_MS 16
#define LONGEST_PAUSE_MS 512
#define REST_MS 16

static void enter(struct occupancy *occupancy, enum occupancy_phase phase, uint64_t now_ms, unsigned pause_ms)
{
        occupancy->phase = phase;
        occupancy->pause_ms = pause_ms;
        occupancy->look_at_ms = saturated_add(now_ms, pause_ms);
        if (phase == OCCUPANCY_FULL)
                occupancy->full_since_ms = now_ms;
}

/* A look of a sampling was due, and a connection waits. More of them than there are workers would not wait if one were
 * free. */
static void sample(struct occupancy *occupancy, uint64_t now_ms, bool more_than_workers)
{
        unsigned half = occupancy->pause_ms / 2;

        if (half > 0 && !more_than_workers) {
                enter(occupancy, OCCUPANCY_SAMPLING, now_ms, half);
                return;
        }
        enter(occupancy, OCCUPANCY_FULL, now_ms, occupancy->first_ms);
        occupancy->first_ms = MIN_OF(2 * occupancy->first_ms, LONGEST_PAUSE_MS);
}

static void begin_sampling(struct occupancy *occupancy, uint64_t now_ms)
{
        occupancy->was_full = occupancy->phase == OCCUPANCY_FULL;
        occupancy->first_ms = MAX_OF(occupancy->first_ms, FIRST_PAUSE_MS);
        enter(occupancy, OCCUPANCY_SAMPLING, now_ms, occupancy->first_ms);
}

static void advance(struct occupancy *occupancy, uint64_t now_ms, unsigned ready, unsigned queued)
{
        bool due = now_ms >= occupancy->look_at_ms;

        if (queued == 0 && (occupancy->phase == OCCUPANCY_SAMPLING || occupancy->phase == OCCUPANCY_FULL)) {
                enter(occupancy, OCCUPANCY_RESTING, now_ms, REST_MS);
                occupancy->first_ms = 0;
        } else if (occupancy->phase == OCCUPANCY_RESTING && due)
                occupancy->phase = OCCUPANCY_FREE;
        else if (occupancy->phase == OCCUPANCY_SAMPLING && due)
                sample(occupancy, now_ms, queued > ready);
        else if (occupancy->phase == OCCUPANCY_FULL && due)
                begin_sampling(occupancy, now_ms);
        if (occupancy->phase == OCCUPANCY_FREE && queued > 0)
                begin_sampling(occupancy, now_ms);
}

struct occupancy_view occupancy_look(struct occupancy *occupancy, uint64_t now_ms, unsigned ready, unsigned fresh,
                                     unsigned queued)
{
        if (ready == 0) {
                *occupancy = (struct occupancy){.low_water = 0};
                return (struct occupancy_view){0};
        }
        advance(occupancy, now_ms, ready, queued);
        /* When the pool has just become full, `fresh` is about an earlier time. */
        bool since_now = occupancy->full_since_ms == now_ms;
        struct occupancy_view view = {
                .free = occupancy->phase == OCCUPANCY_FULL ? since_now ? 0 : MIN_OF(fresh, ready) : ready,
                .watch = occupancy->phase == OCCUPANCY_FREE,
                .look_at_ms = occupancy->phase == OCCUPANCY_FREE ? 0 : occupancy->look_at_ms,
        };
        /* Looked at again, they may be free; that they were is known when nothing waits. */
        bool may_be_full = occupancy->phase == OCCUPANCY_SAMPLING && occupancy->was_full;
        occupancy->low_water = MIN_OF(occupancy->low_water, may_be_full ? MIN_OF(fresh, view.free) : view.free);
        return view;
}

unsigned occupancy_spare(unsigned free, unsigned max_spare)
{
        return free <= max_spare ? free : max_spare + MIN_OF(1 + (free - max_spare) / 8, free - max_spare);
}

void occupancy_reset_low_water(struct occupancy *occupancy, unsigned free)
{
        occupancy->low_water = free;
}
