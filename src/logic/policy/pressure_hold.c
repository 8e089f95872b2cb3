#include "logic/policy/pressure_hold.h"

#include <stdio.h>

const char *pressure_hold_text(const struct pressure_hold *hold, char text[static PRESSURE_TEXT_MAX])
{
        snprintf(text, PRESSURE_TEXT_MAX, "%s pressure %u.%02u%% %s %u%%", pressure_resource_name(hold->resource),
                 hold->share / PRESSURE_ONE_PERCENT, hold->share % PRESSURE_ONE_PERCENT,
                 hold->share > hold->limit ? ">" : "<=", hold->limit / PRESSURE_ONE_PERCENT);
        return text;
}
