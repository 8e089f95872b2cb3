/* What a pool would cost at least at which nobody waits, if the load were known before: exactly. */
#pragma once

#include <stdint.h>

#include "replay/workload.h"

/* In seconds of a worker; a start costs so much time of an idle one. */
double optimum_of(const struct workload *load, uint64_t price_us);
