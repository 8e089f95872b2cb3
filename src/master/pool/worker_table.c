#include "master/pool/worker_table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "logic/policy/slot_allocator.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"

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

int worker_table_add(struct pool *pool, struct worker **ret)
{
        struct worker *worker = calloc(1, sizeof(*worker));

        if (!worker)
                return -ENOMEM;
        int r = slot_allocator_take(pool->workers.slots, &worker->slot);
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
        if (slot_allocator_claim(pool->workers.slots, worker->slot) < 0) {
                free(worker);
                return -EINVAL;
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
        slot_allocator_release(table->slots, worker->slot);
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
                const struct worker_row row = worker_row_of(worker, UINT64_MAX);
                worker_counts_add(&counts, &row, pool->generation);
        }
        return counts;
}
