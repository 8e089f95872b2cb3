#include "logic/policy/pressure_limit.h"

#include <syslog.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "logic/policy/pressure_meter.h"
#include "logic/policy/turn.h"

/* A step: so much of the pool, at least a worker. */
#define STEP_PART 2

bool pressure_limit_applies(const struct turn *turn)
{
        bool any = false;

        for (size_t i = 0; i < PRESSURE_RESOURCE_COUNT; i++)
                any |= turn->config->growth_pressure_limit.percent[i] > 0;
        return any && turn->config->scaling != SCALING_STATIC;
}

static unsigned limit_of(const struct turn *turn, size_t resource)
{
        return (unsigned)turn->config->growth_pressure_limit.percent[resource] * PRESSURE_ONE_PERCENT;
}

/* Note which reading counts: one above its limit, or else any. False: there is none. */
static bool find_reading(const struct turn *turn, struct pressure_hold *hold, uint64_t *ret_at_ms)
{
        bool found = false;

        *ret_at_ms = 0;
        for (size_t i = 0; i < PRESSURE_RESOURCE_COUNT; i++) {
                const struct pressure_now *now = &turn->pressure[i];
                if (limit_of(turn, i) == 0 || now->at_ms == 0)
                        continue;
                *ret_at_ms = MAX_OF(*ret_at_ms, now->at_ms);
                if (found && now->share <= limit_of(turn, i))
                        continue;
                found = true;
                hold->resource = (enum pressure_resource)i;
                hold->share = now->share;
                hold->limit = limit_of(turn, i);
        }
        return found;
}

/* So many workers the pool may always have. */
static unsigned find_least(const struct turn *turn, const struct scale_limits *limits)
{
        unsigned unit = MAX_OF(limits->unit, 1U);
        bool on_demand = limits->scaling == SCALING_ONDEMAND;
        uint64_t least = on_demand ? unit : MAX_OF(MAX_OF(limits->start, limits->min_spare), unit);

        /* Fewer than there are processors are not what makes others wait for one, and may leave some idle. */
        if (turn->scaling->pressure.resource == PRESSURE_CPU)
                least = MAX_OF(least, (uint64_t)turn->cpus);
        least += unit - 1; /* whole groups */
        return (unsigned)MIN_OF(least - least % unit, (uint64_t)UINT32_MAX);
}

/* Recycling has started others in the place of so many, which have not gone yet. */
static unsigned count_doubled(const struct turn *turn)
{
        unsigned count = 0;

        for (uint32_t i = 0; i < turn->rows.count; i++) {
                const struct worker_row *row = &turn->rows.items[i];
                if (row->replacement != WORKER_ROW_NONE && worker_row_counts(row))
                        count += worker_row_slots(row);
        }
        return count;
}

static unsigned add(unsigned a, unsigned b)
{
        return a + MIN_OF(b, UINT32_MAX - a);
}

static unsigned step_of(const struct scale_limits *limits, unsigned workers)
{
        unsigned unit = MAX_OF(limits->unit, 1U), part = workers / STEP_PART;

        return MAX_OF(part - part % unit, unit);
}

void pressure_limit_apply(struct turn *turn, unsigned total, struct scale_limits *limits)
{
        struct pressure_hold *hold = &turn->scaling->pressure;
        uint64_t at_ms;

        if (!pressure_limit_applies(turn) || !find_reading(turn, hold, &at_ms)) {
                hold->holds = false;
                return;
        }
        if (hold->share > hold->limit) {
                hold->holds = true;
                hold->seen_ms = at_ms;
        } else if (hold->holds && at_ms > hold->seen_ms) {
                hold->most = add(hold->most, step_of(limits, hold->most));
                hold->seen_ms = at_ms;
        }
        if (!hold->holds)
                return;
        hold->most = MAX_OF(hold->most, find_least(turn, limits));
        /* Nobody goes for it. */
        limits->max_workers = MIN_OF(limits->max_workers, MAX_OF(add(hold->most, count_doubled(turn)), total));
}

static void tell(struct turn *turn, unsigned total, unsigned missing)
{
        struct pressure_hold *hold = &turn->scaling->pressure;
        char text[PRESSURE_TEXT_MAX];

        pressure_hold_text(hold, text);
        hold->told = missing > 0;
        if (missing > 0)
                turn_record(turn, ORDER_RECORD, LOG_INFO, "growth is held back at %u worker%s, %u missing (%s)", total,
                            total == 1 ? "" : "s", missing, text);
        else if (!pressure_limit_applies(turn) || turn->pressure[hold->resource].at_ms == 0)
                turn_record(turn, ORDER_RECORD, LOG_INFO, "growth is no longer held back");
        else
                turn_record(turn, ORDER_RECORD, LOG_INFO, "growth is no longer held back (%s)",
                            hold->share > hold->limit ? "no worker is missing" : text);
}

void pressure_limit_note(struct turn *turn, unsigned total, unsigned missing)
{
        struct pressure_hold *hold = &turn->scaling->pressure;

        /* Until an episode of saturation is over, what lacks no worker now may at any moment. */
        if (hold->holds && missing == 0 && !turn->scaling->scale.saturated)
                hold->holds = false;
        if (hold->told ? !hold->holds : missing > 0)
                tell(turn, total, missing);
        if (hold->holds)
                turn_ask_at(turn, saturated_add(turn->now_ms, PRESSURE_LOOK_MS));
}

void pressure_limit_end(struct turn *turn, unsigned total, unsigned missing, unsigned retired)
{
        struct pressure_hold *hold = &turn->scaling->pressure;

        total -= MIN_OF(count_doubled(turn), total);
        if (missing > 0)
                hold->most -= MIN_OF(retired, hold->most);
        else if (hold->holds)
                hold->most = MIN_OF(hold->most, total);
        else
                hold->most = total;
}

bool pressure_limit_holds(const struct turn *turn)
{
        const struct pressure_hold *hold = &turn->scaling->pressure;

        return hold->holds && hold->most < turn->limits.max_workers;
}

unsigned pressure_limit_room(const struct turn *turn, unsigned total)
{
        const struct pressure_hold *hold = &turn->scaling->pressure;

        return hold->holds ? hold->most - MIN_OF(total, hold->most) : UINT32_MAX;
}
