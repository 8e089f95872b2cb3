/* Part of status_json: what the scaling of a pool goes by. Both return a new reference, or NULL if memory is short. */
#pragma once

#include <jansson.h>

struct status_pool;

json_t *scaling_json_adaptive(const struct status_pool *status);
json_t *scaling_json_pressure(const struct status_pool *status);

/* What starts cost. */
json_t *scaling_json_starts(const struct status_pool *status);
