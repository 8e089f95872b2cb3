#include "master/pool/worker_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "logic/policy/slot_allocator.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"

static void link_worker(struct pool *pool, struct worker *worker)
{
        worker->pool = pool;
        worker->next = pool->workers.first;
        worker->link = &pool->workers.first;
        if (worker->next)
                worker->next->link = &worker->next;
        pool->workers.first = worker;
        pool->workers.count++;
        board_use(worker->board);
}

/* Make room for the tallies up to a slot: the array doubles. It is a secret because children have no use for it, and
 * pages that they share are copied when they are written. 0 or -ENOMEM. */
static int reserve_tally(struct worker_table *table, uint32_t slot)
{
        uint32_t count = MAX_OF(table->tally_count, 16U);

        if (slot < table->tally_count)
                return 0;
        while (count <= slot)
                count *= 2;
        struct tally *tallies = secret_new(count * sizeof(*tallies));
        if (!tallies)
                return -ENOMEM;
        if (table->tally_count > 0)
                memcpy(tallies, table->tallies, table->tally_count * sizeof(*tallies));
        secret_free(table->tallies);
        table->tallies = tallies;
        table->tally_count = count;
        return 0;
}

/* Slots that it has been given. 0; -ENOMEM: they are free again. */
static int keep_slots(struct pool *pool, const struct worker *worker)
{
        int r = reserve_tally(&pool->workers, worker->slot + worker->slots - 1);

        if (r < 0)
                slot_allocator_release(pool->workers.slots, worker->slot, worker->slots);
        return r;
}

int worker_table_add(struct pool *pool, uint32_t slots, struct worker **ret)
{
        struct worker *worker = calloc(1, sizeof(*worker));

        if (!worker)
                return -ENOMEM;
        worker->slots = slots;
        int r = slot_allocator_take(pool->workers.slots, slots, &worker->slot);
        if (r == 0)
                r = keep_slots(pool, worker);
        if (r < 0) {
                free(worker);
                return r;
        }
        worker->board = boards_present(&pool->boards);
        link_worker(pool, worker);
        *ret = worker;
        return 0;
}

int worker_table_adopt(struct pool *pool, const struct worker *known, struct worker **ret)
{
        struct worker *worker = malloc(sizeof(*worker));

        if (!worker)
                return -ENOMEM;
        *worker = *known;
        int r = slot_allocator_claim(pool->workers.slots, worker->slot, worker->slots) < 0 ? -EINVAL : 0;
        if (r == 0)
                r = keep_slots(pool, worker);
        if (r < 0) {
                free(worker);
                return r;
        }
        link_worker(pool, worker);
        *ret = worker;
        return 0;
}

void worker_table_remove(struct worker *worker)
{
        struct worker_table *table = &worker->pool->workers;

        *worker->link = worker->next;
        if (worker->next)
                worker->next->link = worker->link;
        table->count--;
        worker_set_replacement(worker, NULL);
        if (worker->replaces)
                worker_set_replacement(worker->replaces, NULL);
        slot_allocator_release(table->slots, worker->slot, worker->slots);
        board_leave(worker->board);
        free(worker);
}

struct worker *worker_table_find(const struct pool *pool, pid_t pid)
{
        struct worker *worker = pool->workers.first;

        while (worker && (worker->pid == 0 || worker->pid != pid))
                worker = worker->next;
        return worker;
}

struct worker_counts worker_table_count(const struct pool *pool)
{
        struct worker_counts counts = {0};

        for (struct worker *worker = pool->workers.first; worker; worker = worker->next) {
                const struct worker_row row = worker_counted_row_of(worker);
                worker_counts_add(&counts, &row, pool->generation);
        }
        return counts;
}
