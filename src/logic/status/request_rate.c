#include "logic/status/request_rate.h"

#include <stddef.h>

#include "base/cleanup.h"

#define PAUSE_MS 1000
#define WINDOW_MS 10000

void request_rate_note(struct request_rate *rate, uint64_t now_ms, uint64_t requests)
{
        if (rate->count > 0 && now_ms < rate->samples[(rate->count - 1) % REQUEST_RATE_SAMPLES].time_ms + PAUSE_MS)
                return;
        size_t place = rate->count++ % REQUEST_RATE_SAMPLES;
        rate->samples[place].time_ms = now_ms;
        rate->samples[place].requests = requests;
}

struct request_rate_value request_rate_of(const struct request_rate *rate, uint64_t now_ms, uint64_t requests)
{
        uint64_t kept = MIN_OF(rate->count, (uint64_t)REQUEST_RATE_SAMPLES);
        uint64_t from_ms = now_ms, before = requests;

        /* Back in time, until the window is full: the note before the window counts only if there is none in it that
         * is old enough to say anything. */
        for (uint64_t age = 1; age <= kept; age++) {
                size_t place = (rate->count - age) % REQUEST_RATE_SAMPLES;
                if (rate->samples[place].time_ms + WINDOW_MS < now_ms && now_ms - from_ms >= PAUSE_MS)
                        break;
                from_ms = MIN_OF(rate->samples[place].time_ms, now_ms);
                before = MIN_OF(rate->samples[place].requests, requests);
                if (from_ms + WINDOW_MS < now_ms)
                        break;
        }
        if (from_ms == now_ms)
                return (struct request_rate_value){0};
        return (struct request_rate_value){
                .per_second = (double)(requests - before) * 1000. / (double)(now_ms - from_ms),
                .window_ms = now_ms - from_ms,
        };
}
