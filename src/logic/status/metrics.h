/* The status as metrics, in the formats that scrapers read: OpenMetrics 1.0, and the text format 0.0.4 of Prometheus.
 * Pure.
 *
 * Called by preforkctl and by the workers of a status pool, which have read a status from the master's document. The
 * table of families and that of counters (logic/status/counters) give names, types, units and help, also to the
 * manual.
 *
 * What must stay true: as long as a pool is there, so is each of its series, also those that are 0; no series is there
 * twice, whatever pools and listeners are named alike; what a name and its labels mean never changes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "logic/status/exposition.h"

struct status;
struct text;

/* The family number `index`, in the order of the output. False: there are no more. */
bool metric_family_get(size_t index, struct metric_family *ret);

/* Append the whole exposition. 0 or -ENOMEM. */
int metrics_render(const struct status *status, enum metrics_format format, struct text *text);
