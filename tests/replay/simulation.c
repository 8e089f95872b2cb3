#include "replay/simulation.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define BEGIN_US 1000000 /* 0 means never */

static void tell(struct simulation *s, enum happening what)
{
        s->rule->happens(s->state, s, what);
}

unsigned simulation_queued(const struct simulation *s)
{
        return (unsigned)(s->arrived - s->taken);
}

unsigned simulation_total(const struct simulation *s)
{
        return s->busy + s->idle + s->starting;
}

uint64_t simulation_longest_idle_us(const struct simulation *s)
{
        return s->idle > 0 ? s->now_us - s->idle_since_us[s->idle_first] : 0;
}

unsigned simulation_start(struct simulation *s, unsigned count)
{
        unsigned room = SIMULATION_WORKERS - simulation_total(s);

        count = MIN_OF(count, room);
        for (unsigned i = 0; i < count; i++)
                s->ready_us[(s->ready_first + s->starting++) % SIMULATION_WORKERS] = s->now_us + s->start.us;
        s->starts += count;
        return count;
}

unsigned simulation_retire(struct simulation *s, unsigned count)
{
        count = MIN_OF(count, s->idle);
        s->idle_first = (s->idle_first + count) % SIMULATION_WORKERS;
        s->idle -= count;
        return count;
}

/* --- the heap of ends --------------------------------------------------------------------------------------------- */

static void swap(uint64_t *a, uint64_t *b)
{
        uint64_t value = *a;
        *a = *b;
        *b = value;
}

static void add_end(struct simulation *s, uint64_t end_us)
{
        size_t at = s->busy;

        s->ends_us[at] = end_us;
        for (; at > 0 && s->ends_us[(at - 1) / 2] > s->ends_us[at]; at = (at - 1) / 2)
                swap(&s->ends_us[at], &s->ends_us[(at - 1) / 2]);
}

static void take_end(struct simulation *s)
{
        size_t count = s->busy - 1, child;

        s->ends_us[0] = s->ends_us[count];
        for (size_t at = 0; (child = 2 * at + 1) < count; at = child) {
                child += child + 1 < count && s->ends_us[child + 1] < s->ends_us[child];
                if (s->ends_us[at] <= s->ends_us[child])
                        return;
                swap(&s->ends_us[at], &s->ends_us[child]);
        }
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

static uint64_t comes_us(const struct simulation *s, size_t request)
{
        return BEGIN_US + s->load->requests[request].at_us;
}

static void become_idle(struct simulation *s, enum happening what)
{
        s->idle_since_us[(s->idle_first + s->idle++) % SIMULATION_WORKERS] = s->now_us;
        tell(s, what);
}

/* As a worker does it, before it is idle and after it is busy: so many are busy. */
static void note_level(struct simulation *s)
{
        s->left_ms[s->busy - 1] = s->now_us / 1000;
}

static void serve(struct simulation *s)
{
        while (s->taken < s->arrived && s->idle > 0) {
                const struct request *request = &s->load->requests[s->taken];
                s->waits_us[s->taken] = (uint32_t)MIN_OF(s->now_us - comes_us(s, s->taken), (uint64_t)UINT32_MAX);
                s->taken++;
                simulation_retire(s, 1); /* from the idle ones */
                add_end(s, s->now_us + request->duration_us);
                s->busy++;
                note_level(s);
                s->low_water = MIN_OF(s->low_water, s->idle);
                tell(s, HAPPENS_BUSY);
        }
}

static void arrive(struct simulation *s)
{
        s->arrived++;
        serve(s);
        if (s->taken < s->arrived)
                tell(s, HAPPENS_WAITING);
}

static void end(struct simulation *s)
{
        note_level(s);
        take_end(s);
        s->busy--;
        become_idle(s, HAPPENS_IDLE);
}

static void be_ready(struct simulation *s)
{
        s->ready_first = (s->ready_first + 1) % SIMULATION_WORKERS;
        s->starting--;
        become_idle(s, HAPPENS_READY);
}

static void ring(struct simulation *s)
{
        s->alarm_us = 0;
        tell(s, HAPPENS_ALARM);
}

/* The next event. False if all requests have been served. */
static bool step(struct simulation *s)
{
        void (*happens)(struct simulation *) = NULL;
        uint64_t at_us = UINT64_MAX;

        if (s->arrived == s->load->count && s->taken == s->load->count && s->busy == 0)
                return false;
        if (s->busy > 0 && s->ends_us[0] < at_us) {
                at_us = s->ends_us[0];
                happens = end;
        }
        if (s->starting > 0 && s->ready_us[s->ready_first] < at_us) {
                at_us = s->ready_us[s->ready_first];
                happens = be_ready;
        }
        if (s->arrived < s->load->count && comes_us(s, s->arrived) < at_us) {
                at_us = comes_us(s, s->arrived);
                happens = arrive;
        }
        if (s->alarm_us > 0 && MAX_OF(s->alarm_us, s->now_us) < at_us) {
                at_us = MAX_OF(s->alarm_us, s->now_us);
                happens = ring;
        }
        if (!happens)
                return false;
        s->area_us += (at_us - s->now_us) * simulation_total(s);
        s->now_us = at_us;
        happens(s);
        serve(s);
        return true;
}

/* --- the result --------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
        uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
        return one < other ? -1 : one > other;
}

static struct result sum_up(struct simulation *s)
{
        size_t count = s->load->count, first_late = 0;

        qsort(s->waits_us, count, sizeof(*s->waits_us), by_size);
        while (first_late < count && s->waits_us[first_late] == 0)
                first_late++;
        return (struct result){
                .cost = (double)s->area_us / 1e6 + (double)s->starts * (double)s->start.price_us / 1e6,
                .area = (double)s->area_us / 1e6,
                .late = (double)(count - first_late) / (double)count,
                .wait_p999_ms = s->waits_us[(size_t)((double)count * 0.999)] / 1e3,
                .wait_most_ms = s->waits_us[count - 1] / 1e3,
                .starts = (double)s->starts / (double)count,
                .turns = (double)s->turns / (double)count,
        };
}

struct result simulation_run(const struct workload *load, const struct rule *rule, const struct start *start)
{
        struct simulation *s = calloc(1, sizeof(*s));
        void *state = malloc(rule->size);
        uint32_t *waits_us = calloc(load->count, sizeof(*waits_us));

        if (!s || !state || !waits_us)
                abort();
        memcpy(state, rule->settings, rule->size);
        *s = (struct simulation){
                .load = load, .start = *start, .now_us = BEGIN_US, .rule = rule, .state = state, .waits_us = waits_us};
        tell(s, HAPPENS_BEGIN);
        while (step(s))
                ;
        struct result result = sum_up(s);
        free(waits_us);
        free(state);
        free(s);
        return result;
}
