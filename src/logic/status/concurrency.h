/* How many workers were busy at once, by the work that was done so. Pure.
 *
 * A request counts with its whole duration for the number of busy workers when it had begun, itself included: workers
 * add that up for each number (slot.level_work_us). So a minute of many requests at once weighs as much as it has
 * served, however long nothing happened before. Called by master/status with these sums. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct concurrency {
        uint64_t work_ms;             /* the total duration of the requests of which it is known */
        unsigned p50, p90, p99, p999; /* no more workers were busy, when half of that, … 99.9 % of it had begun; 0: no
                                       * work is known */
};

/* work_us[n]: of requests that began as the n + 1st. Nothing is added up beyond UINT64_MAX. */
struct concurrency concurrency_of(const uint64_t *work_us, size_t count);
