#include "logic/status/load.h"

#include <stddef.h>

#include "base/cleanup.h"

/* So many samples apart that they cover the window. */
#define PAUSE_MS 100
#define WINDOW_MS 1000
#define STALE_MS 5000

void load_note(struct load *load, uint64_t now_ms, uint64_t busy_ns)
{
        if (load->count > 0 && now_ms < load->samples[(load->count - 1) % LOAD_SAMPLES].time_ms + PAUSE_MS)
                return;
        size_t place = load->count++ % LOAD_SAMPLES;
        load->samples[place].time_ms = now_ms;
        load->samples[place].busy_ns = busy_ns;
}

double load_average(const struct load *load, uint64_t now_ms, uint64_t busy_ns, unsigned busy_now)
{
        uint64_t kept = MIN_OF(load->count, (uint64_t)LOAD_SAMPLES);
        uint64_t from_ms = now_ms, before_ns = busy_ns;

        for (uint64_t age = 1; age <= kept && now_ms < from_ms + WINDOW_MS; age++) {
                size_t place = (load->count - age) % LOAD_SAMPLES;
                if (load->samples[place].time_ms + STALE_MS < now_ms)
                        break;
                from_ms = MIN_OF(load->samples[place].time_ms, now_ms);
                /* a worker that was killed takes the time of its request with it */
                before_ns = MIN_OF(load->samples[place].busy_ns, busy_ns);
        }
        if (now_ms < from_ms + PAUSE_MS)
                return busy_now;
        return (double)(busy_ns - before_ns) / 1e6 / (double)(now_ms - from_ms);
}
