/* The table of a pool's workers, from launch to reaping, each with a slot of the scoreboard. It alone writes
 * pool->workers. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worker_rows.h"

struct pool;
struct worker;

/* Add a worker with a free slot of the pool's present scoreboard and everything else zero. 0; -ENOMEM; -ENOSPC: there
 * is no free slot. */
int worker_table_add(struct pool *pool, struct worker **ret);

/* Add a copy of a worker that the program before the upgrade has launched, with the board and the slot it has. 0;
 * -EINVAL: the slot is taken or does not exist; -ENOMEM. */
int worker_table_adopt(struct pool *pool, const struct worker *known, struct worker **ret);

/* Remove a worker: release its slot, leave its board, remove its links as a replacement, and free `worker`. */
void worker_table_remove(struct worker *worker);

/* The worker with that pid, or NULL. */
struct worker *worker_table_find(const struct pool *pool, pid_t pid);

/* Count the workers. */
struct worker_counts worker_table_count(const struct pool *pool);
