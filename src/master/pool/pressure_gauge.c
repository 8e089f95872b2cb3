#include "master/pool/pressure_gauge.h"

#include <string.h>

#include "base/log.h"
#include "logic/policy/scaling.h"
#include "master/pool/pool.h"
#include "os/pressure.h"

static void look(struct pressure_gauge *gauge, enum pressure_resource resource, uint64_t now_ms)
{
        struct pressure_meter *meter = &gauge->meters[resource];
        struct pressure_reading reading;

        if (!pressure_meter_is_due(meter, now_ms))
                return;
        int r = pressure_read(resource, &reading);
        if (r == 0)
                pressure_meter_note(meter, now_ms, &reading);
        else {
                if (!gauge->failed[resource])
                        log_warning("growth_pressure_limit: cannot read the %s pressure: %s; it holds nobody back",
                                    pressure_resource_name(resource), strerror(-r));
                *meter = (struct pressure_meter){0};
        }
        gauge->failed[resource] = r < 0;
}

void pressure_gauge_take(struct pool *pool)
{
        struct pressure_gauge *gauge = pool->runtime->pressure;
        struct turn *turn = &pool->turn;

        turn->cpus = pool->runtime->cpus;
        if (!scaling_asks_pressure(turn))
                return;
        for (int i = 0; i < PRESSURE_RESOURCE_COUNT; i++) {
                if (turn->config->growth_pressure_limit.percent[i] == 0)
                        continue;
                look(gauge, (enum pressure_resource)i, turn->now_ms);
                turn->pressure[i] =
                        (struct pressure_now){.at_ms = gauge->meters[i].at_ms, .share = gauge->meters[i].share};
        }
}
