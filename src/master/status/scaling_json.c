#include "master/status/scaling_json.h"

#include "base/pressure.h"
#include "logic/status/status.h"
#include "master/status/json_value.h"

json_t *scaling_json_adaptive(const struct status_pool *status)
{
        if (status->limits.scaling != SCALING_ADAPTIVE)
                return json_null();
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "level", json_value_number(status->adaptive.level),
                         "off_delay_ms", json_value_number(status->adaptive.off_delay_ms), "level_idle_ms",
                         json_value_number(status->adaptive.idle_ms), "spare_workers",
                         json_value_number(status->adaptive.spare), "start_worth_ms",
                         json_value_number(status->starts.worth_ms), "wait_worth_ms",
                         json_value_number(status->starts.wait_ms));
}

json_t *scaling_json_starts(const struct status_pool *status)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o}", "cpu_us", json_value_number(status->starts.cpu_us), "duration_us",
                         json_value_number(status->starts.duration_us), "worker_bytes",
                         json_value_number(status->starts.worker_bytes), "worth_ms",
                         json_value_number(status->starts.worth_ms), "wait_worth_ms",
                         json_value_number(status->starts.wait_ms));
}

json_t *scaling_json_pressure(const struct status_pool *status)
{
        if (!status->pressure.limited)
                return json_null();
        return json_pack("{s:b, s:s, s:f, s:f}", "held_back", status->pressure.held, "resource",
                         status->pressure.resource, "percent", (double)status->pressure.share / PRESSURE_ONE_PERCENT,
                         "limit_percent", (double)status->pressure.limit / PRESSURE_ONE_PERCENT);
}
