/* What adaptive scaling does with requests that a real pool has served, its starts being what they were there, in
 * virtual time: for tests/bench/live.py. `replay_served FILE START_US CPU_US WORKER_BYTES MACHINE_BYTES CPUS` prints
 * one line of numbers. The names are those of struct worth_input, and the price of a start is what it is worth by them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/optimum.h"
#include "replay/rules.h"
#include "replay/simulation.h"
#include "replay/workload.h"

int main(int argc, char **argv)
{
        struct workload load;
        int r = argc == 7 ? workload_read_served(&load, "served", argv[1]) : -1;

        if (r < 0) {
                fprintf(stderr, "usage: replay_served FILE START_US CPU_US WORKER_BYTES MACHINE_BYTES CPUS\n");
                return 2;
        }
        const struct worth_input input = {.start_us = strtoull(argv[2], NULL, 10),
                                          .start_cpu_us = strtoull(argv[3], NULL, 10),
                                          .worker_bytes = strtoull(argv[4], NULL, 10),
                                          .machine_bytes = strtoull(argv[5], NULL, 10),
                                          .cpus = (unsigned)strtoul(argv[6], NULL, 10)};
        struct start start = {.us = input.start_us, .worth = worth_of_start(&input)};
        start.price_us = start.worth.start_ms * 1000;
        const struct result result = simulation_run(&load, rules[0], &start);
        printf("%.3f\t%.3f\t%.5f\t%.5f\t%.3f\t%.3f\t%.3f\n", result.cost, result.area, result.starts, result.late,
               result.wait_p999_ms, optimum_of(&load, start.price_us), (double)start.price_us / 1e6);
        workload_free(&load);
        return 0;
}
