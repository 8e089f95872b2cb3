#include "replay/optimum.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"

struct change {
        uint64_t at_us;
        bool begins;
};

static int by_time(const void *a, const void *b)
{
        const struct change *one = a, *other = b;

        if (one->at_us != other->at_us)
                return one->at_us < other->at_us ? -1 : 1;
        return one->begins - other->begins; /* who ends makes room for who begins */
}

static struct change *changes_of(const struct workload *load)
{
        struct change *changes = calloc(2 * load->count, sizeof(*changes));

        if (!changes)
                abort();
        for (size_t i = 0; i < load->count; i++) {
                const struct request *request = &load->requests[i];
                changes[2 * i] = (struct change){.at_us = request->at_us, .begins = true};
                changes[2 * i + 1] = (struct change){.at_us = request->at_us + request->duration_us};
        }
        qsort(changes, 2 * load->count, sizeof(*changes), by_time);
        return changes;
}

/* Levels do not depend on each other. Each costs the time in which it is busy, a start when it is busy for the first
 * time, and for each gap between two such times the lesser of the gap and another start. That no set of workers costs
 * less follows from exchanging: which worker serves whom does not matter. */
double optimum_of(const struct workload *load, uint64_t price_us)
{
        struct change *changes = changes_of(load);
        uint64_t *left_us = calloc(load->count + 1, sizeof(*left_us));
        size_t level = 0, highest = 0;
        double cost_us = 0;

        if (!left_us)
                abort();
        for (size_t i = 0; i < 2 * load->count; i++) {
                if (i > 0)
                        cost_us += (double)level * (double)(changes[i].at_us - changes[i - 1].at_us);
                if (!changes[i].begins) {
                        left_us[level--] = changes[i].at_us;
                        continue;
                }
                level++;
                cost_us += (double)(level > highest ? price_us : MIN_OF(changes[i].at_us - left_us[level], price_us));
                highest = MAX_OF(highest, level);
        }
        free(changes);
        free(left_us);
        return cost_us / 1e6;
}
