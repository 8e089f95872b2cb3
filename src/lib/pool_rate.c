#include "lib/pool_rate.h"

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/idle_set.h"
#include "lib/sys.h"

#define LOOK_NS 1000000000

struct hold {
        uint64_t step_ns, burst; /* of the rate by which … */
        uint64_t until_ns;       /* … this was found */
        bool retired;            /* the end is near */
};

static void reserve(const struct slot *slot, struct hold *hold, uint64_t now_ns)
{
        hold->step_ns = atomic_load(&slot->rates->of_pool.step_ns);
        hold->burst = atomic_load(&slot->rates->of_pool.burst);
        hold->until_ns = rate_table_reserve(slot->rates, atomic_load(&slot->board->slot_limit), now_ns);
}

static bool is_other_rate(const struct slot *slot, const struct hold *hold)
{
        return atomic_load(&slot->rates->of_pool.step_ns) != hold->step_ns ||
               atomic_load(&slot->rates->of_pool.burst) != hold->burst;
}

/* The worker was asked to end. It may have joined the idle set after that. */
static void shorten(const struct slot *slot, struct hold *hold, uint64_t now_ns)
{
        uint64_t most_ms = MIN_OF((uint64_t)door_orphan_timeout_ms() / 2, (uint64_t)RATE_LAST_HOLD_MS);

        if (hold->retired)
                return;
        idle_set_remove(slot->board, slot->index);
        hold->until_ns = MIN_OF(hold->until_ns, now_ns + most_ms * 1000000);
        hold->retired = true;
}

static void sleep_ns(const struct hold *hold, uint64_t ns)
{
        if (hold->retired)
                sys_poll(NULL, 0, (int)(ns / 1000000) + 1);
        else
                door_sleep(ns);
}

void pool_rate_wait(struct slot *slot)
{
        struct hold hold = {0};

        if (!slot->rates || !rate_table_limits_pool(slot->rates))
                return;
        uint64_t now_ns = sys_now_ns();
        reserve(slot, &hold, now_ns);
        if (hold.until_ns <= now_ns)
                return;
        slot_throttle(slot, now_ns);
        for (; now_ns < hold.until_ns; now_ns = sys_now_ns()) {
                if (door_is_closed())
                        shorten(slot, &hold, now_ns);
                else if (is_other_rate(slot, &hold))
                        reserve(slot, &hold, now_ns);
                if (now_ns < hold.until_ns)
                        sleep_ns(&hold, MIN_OF(hold.until_ns - now_ns, (uint64_t)LOOK_NS));
        }
}
