/* The replay: every rule on every workload, with quick and slow starts, at three prices. Prints one line of numbers,
 * with tabs between them, for each; tests/replay/table.py makes the table of them.
 *
 * `replay` runs the generated workloads. `replay NAME=FILE …` runs traces. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "replay/optimum.h"
#include "replay/rules.h"
#include "replay/simulation.h"
#include "replay/workload.h"

static const uint64_t starts_us[] = {1000, 150000};
static const uint64_t prices_us[] = {1000000, 10000000, 60000000};

/* A machine on which a start, all of which is processor time of a worker and of the master, is worth its price. */
static struct start start_of(uint64_t start_us, uint64_t price_us)
{
        const struct worth_input input = {.start_cpu_us = start_us - WORTH_MASTER_CPU_US,
                                          .start_us = start_us,
                                          .worker_bytes = 1 << 20,
                                          .machine_bytes = (price_us << 20) / start_us,
                                          .cpus = 1};

        return (struct start){.us = start_us, .price_us = price_us, .worth = worth_of_start(&input)};
}

static void run(const struct workload *load)
{
        for (size_t start = 0; start < ELEMENTS(starts_us); start++)
                for (size_t price = 0; price < ELEMENTS(prices_us); price++) {
                        double optimum = optimum_of(load, prices_us[price]);
                        const struct start cost = start_of(starts_us[start], prices_us[price]);
                        for (size_t i = 0; rules[i]; i++) {
                                const struct result r = simulation_run(load, rules[i], &cost);
                                printf("%s\t%llu\t%llu\t%s\t%.4f\t%.5f\t%.1f\t%.1f\t%.5f\t%.5f\n", load->name,
                                       (unsigned long long)starts_us[start] / 1000,
                                       (unsigned long long)prices_us[price] / 1000000, rules[i]->name, r.cost / optimum,
                                       r.late, r.wait_p999_ms, r.wait_most_ms, r.starts, r.turns);
                        }
                }
}

static int run_trace(char *word)
{
        struct workload load;
        char *path = strchr(word, '=');

        if (!path)
                return -1;
        *path++ = '\0';
        int r = workload_read(&load, word, path);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(-r));
                return r;
        }
        run(&load);
        workload_free(&load);
        return 0;
}

int main(int argc, char **argv)
{
        for (int i = 1; i < argc; i++)
                if (run_trace(argv[i]) < 0)
                        return 1;
        for (const struct workload_kind *kind = workload_kinds; argc == 1 && kind->name; kind++) {
                struct workload load;
                workload_make(&load, kind);
                run(&load);
                workload_free(&load);
        }
        return 0;
}
