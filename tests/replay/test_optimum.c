/* The optimum of the replay against one that tries every number of workers between any two events, and the traces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "replay/optimum.h"
#include "replay/workload.h"

#define REQUESTS 12
#define LOADS 3000

static uint64_t seed = 42;

static unsigned random_below(unsigned limit)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (unsigned)(seed >> 20) % limit;
}

static unsigned demand_at(const struct workload *load, uint64_t now_us)
{
        unsigned demand = 0;

        for (size_t i = 0; i < load->count; i++)
                demand += load->requests[i].at_us <= now_us &&
                          now_us < load->requests[i].at_us + load->requests[i].duration_us;
        return demand;
}

/* A step a microsecond. */
static uint64_t try_everything(const struct workload *load, uint64_t end_us, uint64_t price_us)
{
        uint64_t before[REQUESTS + 1], cost[REQUESTS + 1], least = UINT64_MAX;

        for (unsigned workers = 0; workers <= REQUESTS; workers++)
                before[workers] = workers * price_us;
        for (uint64_t now_us = 0; now_us < end_us; now_us++) {
                unsigned demand = demand_at(load, now_us);
                for (unsigned workers = 0; workers <= REQUESTS; workers++) {
                        cost[workers] = UINT64_MAX / 2;
                        for (unsigned from = 0; from <= REQUESTS && workers >= demand; from++)
                                cost[workers] =
                                        MIN_OF(cost[workers], before[from] + workers +
                                                                      (workers > from ? workers - from : 0) * price_us);
                }
                for (unsigned workers = 0; workers <= REQUESTS; workers++)
                        before[workers] = cost[workers];
        }
        for (unsigned workers = 0; workers <= REQUESTS; workers++)
                least = MIN_OF(least, before[workers]);
        return least;
}

static void nothing_costs_less(void **state)
{
        (void)state;
        for (unsigned number = 0; number < LOADS; number++) {
                struct request requests[REQUESTS];
                struct workload load = {.requests = requests, .count = 1 + random_below(REQUESTS)};
                uint64_t price_us = 1 + random_below(30), now_us = 0, end_us = 0;
                for (size_t i = 0; i < load.count; i++) {
                        now_us += random_below(20);
                        requests[i] = (struct request){.at_us = now_us, .duration_us = 1 + random_below(20)};
                        end_us = MAX_OF(end_us, now_us + requests[i].duration_us);
                }
                uint64_t optimum_us = (uint64_t)(optimum_of(&load, price_us) * 1e6 + 0.5);
                assert_int_equal(optimum_us, try_everything(&load, end_us, price_us));
        }
}

static void a_trace_is_read(void **state)
{
        char path[] = "/tmp/preforkd-trace-XXXXXX";
        struct workload load;
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        assert_true(dprintf(fd, "TIMESTAMP,ContextTokens,GeneratedTokens\n"
                                "2023-11-16 18:17:03.9799600,4808,10\n"
                                "2023-11-16 18:17:04.9799600,5,0\n") > 0);
        close(fd);
        assert_int_equal(workload_read(&load, "name", path), 0);
        assert_int_equal(load.count, 2);
        assert_int_equal(load.requests[0].at_us, 0);
        assert_int_equal(load.requests[0].duration_us, 10 * 10000 + 4808 * 200);
        assert_int_equal(load.requests[1].at_us, 1000000);
        assert_int_equal(load.requests[1].duration_us, 2000);
        workload_free(&load);
        unlink(path);
        assert_true(workload_read(&load, "name", path) < 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_costs_less),
                cmocka_unit_test(a_trace_is_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
