#include "logic/status/concurrency.h"

#include "base/saturating.h"

/* The least number that was not exceeded but by so many thousandths of the work. */
static unsigned enough(const uint64_t *work_us, size_t count, uint64_t sum_us, unsigned beyond)
{
        uint64_t most_us = sum_us / 1000 * beyond + sum_us % 1000 * beyond / 1000, above_us = 0;

        for (size_t busy = count; busy > 0; busy--) {
                above_us = saturated_add(above_us, work_us[busy - 1]);
                if (above_us > most_us)
                        return (unsigned)busy;
        }
        return 0;
}

struct concurrency concurrency_of(const uint64_t *work_us, size_t count)
{
        uint64_t sum_us = 0;

        for (size_t i = 0; i < count; i++)
                sum_us = saturated_add(sum_us, work_us[i]);
        return (struct concurrency){.work_ms = sum_us / 1000,
                                    .p50 = enough(work_us, count, sum_us, 500),
                                    .p90 = enough(work_us, count, sum_us, 100),
                                    .p99 = enough(work_us, count, sum_us, 10),
                                    .p999 = enough(work_us, count, sum_us, 1)};
}
