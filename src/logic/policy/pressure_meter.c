#include "logic/policy/pressure_meter.h"

#include "base/cleanup.h"

/* Readings are compared with one that is older than this, and three times that at most while somebody looks. */
#define SPAN_MS 1000
/* What was stalled in a longer time is compared no more: the kernel's average is as good. */
#define LONGEST_MS 10000

bool pressure_meter_is_due(const struct pressure_meter *meter, uint64_t now_ms)
{
        return meter->at_ms == 0 || now_ms < meter->at_ms || now_ms - meter->at_ms >= PRESSURE_LOOK_MS;
}

static unsigned share_of(uint64_t stalled_us, uint64_t time_ms)
{
        /* Neither product overflows: the time is LONGEST_MS at most. */
        uint64_t time_us = time_ms * 1000;

        return (unsigned)(MIN_OF(stalled_us, time_us) * (uint64_t)PRESSURE_ALL / time_us);
}

void pressure_meter_note(struct pressure_meter *meter, uint64_t now_ms, const struct pressure_reading *reading)
{
        const struct pressure_mark now = {.at_ms = now_ms, .stalled_us = reading->stalled_us}, then = meter->older;
        uint64_t age_ms = now_ms > then.at_ms ? now_ms - then.at_ms : 0;
        bool comparable = meter->at_ms > 0 && age_ms > 0 && age_ms <= LONGEST_MS && now.stalled_us >= then.stalled_us;

        meter->share = comparable ? share_of(now.stalled_us - then.stalled_us, age_ms)
                                  : MIN_OF(reading->recent, (unsigned)PRESSURE_ALL);
        meter->at_ms = MAX_OF(now_ms, UINT64_C(1));
        if (!comparable || age_ms > UINT64_C(3) * SPAN_MS)
                meter->older = meter->newer = now;
        else if (now_ms >= meter->newer.at_ms + SPAN_MS) {
                meter->older = meter->newer;
                meter->newer = now;
        }
}
