#include "replay/rules.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "logic/policy/adaptive.h"
#include "logic/policy/scale.h"

#define TICK_US 1000000

/* --- preforkd: the policies are linked in, and woken as the daemon is --------------------------------------------- */

struct preforkd {
        struct scale_limits limits;
        struct scale_state scale;
        struct adaptive_state adaptive;
        struct scale_decision last;
        bool started;
};

static struct adaptive_advice advise(struct preforkd *p, struct simulation *s)
{
        const struct adaptive_input input = {
                .now_ms = s->now_us / 1000,
                .worth = s->start.worth,
                .idle = s->idle,
                .starting = s->starting,
                .total = simulation_total(s),
                .queued = simulation_queued(s),
                .min_spare = p->limits.min_spare,
                .max_spare = p->limits.max_spare,
                .max_workers = p->limits.max_workers,
                .max_spare_ms = p->limits.spare_timeout_ms,
                .may_fork = true,
                .left_ms = s->left_ms,
                .levels = SIMULATION_WORKERS,
        };
        const struct adaptive_advice advice = adaptive_advise(&input, &p->adaptive);

        if (advice.reached > 0)
                s->left_ms[advice.reached - 1] = input.now_ms;
        return advice;
}

static struct scale_decision decide(struct preforkd *p, struct simulation *s)
{
        struct scale_input input = {
                .now_ms = s->now_us / 1000,
                .idle = s->idle,
                .starting = s->starting,
                .total = simulation_total(s),
                .queued = simulation_queued(s),
                .low_water = s->low_water,
                .started = p->started,
                .may_fork = true,
        };

        if (p->limits.scaling == SCALING_ADAPTIVE)
                input.advice = advise(p, s);
        return scale_policy_decide(&p->limits, &input, &p->scale);
}

/* What wakes the master. */
static bool is_woken(const struct preforkd *p, const struct simulation *s, enum happening what)
{
        switch (what) {
        case HAPPENS_BUSY:
                return s->idle < p->last.low_below;
        case HAPPENS_IDLE:
                return s->idle > p->last.high_above;
        case HAPPENS_WAITING:
                return p->last.watch_listeners;
        default:
                return true;
        }
}

static void preforkd_happens(void *state, struct simulation *s, enum happening what)
{
        struct preforkd *p = state;

        if (!is_woken(p, s, what))
                return;
        s->turns++;
        p->last = decide(p, s);
        p->started = true;
        simulation_start(s, p->last.start);
        simulation_retire(s, p->last.retire);
        if (p->last.reset_low_water)
                s->low_water = s->idle;
        s->alarm_us = p->last.shrink_at_ms * 1000;
}

/* --- php-fpm and Apache: every second ----------------------------------------------------------------------------- */

struct thresholds {
        unsigned min_spare, max_spare;
        unsigned rate;      /* of starts: doubled each second in which there are too few, up to 32 */
        bool at_least_rate; /* Apache starts that many even if fewer are missing */
};

static void follow_thresholds(struct thresholds *t, struct simulation *s)
{
        unsigned spare = s->idle + s->starting;

        if (spare > t->max_spare)
                simulation_retire(s, 1);
        else if (spare < t->min_spare) {
                simulation_start(s, t->at_least_rate ? t->rate : MIN_OF(t->rate, t->min_spare - spare));
                t->rate = MIN_OF(2 * t->rate, 32U);
                return;
        }
        t->rate = 1;
}

static void thresholds_happens(void *state, struct simulation *s, enum happening what)
{
        struct thresholds *t = state;

        if (what == HAPPENS_BEGIN)
                simulation_start(s, t->min_spare + (t->max_spare - t->min_spare) / 2);
        else if (what == HAPPENS_ALARM)
                follow_thresholds(t, s);
        else
                return;
        s->turns++;
        s->alarm_us = s->now_us + TICK_US;
}

/* --- php-fpm ondemand: a start for each connection that waits, one worker less a second after an idle timeout ------
 */

struct ondemand {
        uint64_t idle_timeout_us;
};

static void ondemand_happens(void *state, struct simulation *s, enum happening what)
{
        const struct ondemand *ondemand = state;
        unsigned queued = simulation_queued(s);

        if (what == HAPPENS_WAITING && queued > s->starting)
                simulation_start(s, queued - s->starting);
        if (what == HAPPENS_ALARM && simulation_longest_idle_us(s) > ondemand->idle_timeout_us)
                simulation_retire(s, 1);
        s->turns += what == HAPPENS_WAITING || what == HAPPENS_ALARM;
        if (what == HAPPENS_BEGIN || what == HAPPENS_ALARM)
                s->alarm_us = s->now_us + TICK_US;
}

/* --- uWSGI's cheaper, algorithm spare: every second ----------------------------------------------------------------
 */

struct cheaper {
        unsigned least;
        unsigned overload; /* seconds in which no worker was idle … */
        unsigned idle;     /* … and in which some were, since the last start */
};

static void follow_cheaper(struct cheaper *cheaper, struct simulation *s)
{
        bool any_idle = s->idle + s->starting > 0;

        if (!any_idle) {
                cheaper->overload++;
                cheaper->idle = 0;
        } else if (cheaper->overload > 0)
                cheaper->overload--;
        if (cheaper->overload > 3) {
                simulation_start(s, 1);
                cheaper->overload = 0;
        } else if (cheaper->overload == 0 && any_idle && s->idle != 1) {
                cheaper->idle++;
                if (simulation_total(s) > cheaper->least && cheaper->idle % 3 == 0)
                        simulation_retire(s, 1);
        }
}

static void cheaper_happens(void *state, struct simulation *s, enum happening what)
{
        struct cheaper *cheaper = state;

        if (what == HAPPENS_BEGIN)
                simulation_start(s, cheaper->least);
        else if (what == HAPPENS_ALARM)
                follow_cheaper(cheaper, s);
        else
                return;
        s->turns++;
        s->alarm_us = s->now_us + TICK_US;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

#define RULE(variable, type, title, function, ...)                                                                     \
        static const struct rule variable = {                                                                          \
                .name = title, .size = sizeof(type), .settings = &(const type){__VA_ARGS__}, .happens = function}

RULE(adaptive, struct preforkd, "adaptive", preforkd_happens,
     .limits = {.scaling = SCALING_ADAPTIVE,
                .max_spare = SIMULATION_WORKERS,
                .max_workers = SIMULATION_WORKERS,
                .spare_timeout_ms = 10000});
RULE(dynamic, struct preforkd, "dynamic 1/8, 10 s", preforkd_happens,
     .limits = {.scaling = SCALING_DYNAMIC,
                .min_spare = 1,
                .max_spare = 8,
                .start = 4,
                .max_workers = SIMULATION_WORKERS,
                .spare_timeout_ms = 10000});
RULE(fpm_dynamic, struct thresholds, "php-fpm dynamic 1/8", thresholds_happens, .min_spare = 1, .max_spare = 8,
     .rate = 1);
RULE(fpm_dynamic_more, struct thresholds, "php-fpm dynamic 5/10", thresholds_happens, .min_spare = 5, .max_spare = 10,
     .rate = 1);
RULE(fpm_ondemand, struct ondemand, "php-fpm ondemand 10 s", ondemand_happens, .idle_timeout_us = 10000000);
RULE(apache, struct thresholds, "Apache prefork 5/10", thresholds_happens, .min_spare = 5, .max_spare = 10, .rate = 1,
     .at_least_rate = true);
RULE(cheaper, struct cheaper, "uWSGI cheaper 2", cheaper_happens, .least = 2);

const struct rule *const rules[] = {&adaptive, &dynamic,      &fpm_dynamic, &fpm_dynamic_more,
                                    &apache,   &fpm_ondemand, &cheaper,     NULL};
