#include "logic/policy/waiting.h"

#include "base/cleanup.h"

static void set_mark(struct waiting *waiting, uint64_t now_ms, unsigned queued, uint64_t accepted)
{
        waiting->mark_ms = now_ms;
        waiting->mark_count = queued;
        waiting->accepted = accepted;
}

void waiting_follow(struct waiting *waiting, uint64_t now_ms, unsigned wants, unsigned queued, uint64_t accepted)
{
        uint64_t gone = accepted - MIN_OF(waiting->accepted, accepted);
        uint64_t passed_ms = now_ms - MIN_OF(waiting->mark_ms, now_ms);

        if (wants == 0) {
                *waiting = (struct waiting){0};
                return;
        }
        if (waiting->wants == 0) {
                waiting->begun_ms = waiting->since_ms = now_ms;
                set_mark(waiting, now_ms, queued, accepted);
        } else if (gone > 0 && gone >= waiting->mark_count) {
                /* All that waited then have been accepted, and what waits now takes as long as so many took. */
                double age_ms = (double)passed_ms * queued / (double)gone;
                waiting->since_ms = MAX_OF(waiting->since_ms, now_ms - (uint64_t)MIN_OF(age_ms, (double)passed_ms));
                set_mark(waiting, now_ms, queued, accepted);
        }
        waiting->wants = wants;
}
