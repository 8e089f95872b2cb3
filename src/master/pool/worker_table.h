/* The table of a pool's workers, from launch to reaping, each with slots of the scoreboard. It alone writes
 * pool->workers. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worker_rows.h"

struct pool;
struct worker;

/* Add a worker with `slots` ≥ 1 free slots, one behind the other, of the pool's present scoreboard, and everything else
 * zero. 0; -ENOMEM; -ENOSPC: there are no such slots. */
int worker_table_add(struct pool *pool, uint32_t slots, struct worker **ret);

/* Add a copy of a worker that the program before the upgrade has launched, with the board and the slots it has. 0;
 * -EINVAL: one is taken or does not exist; -ENOMEM. */
int worker_table_adopt(struct pool *pool, const struct worker *known, struct worker **ret);

/* Remove a worker: release its slots, leave its board, remove its links as a replacement, and free `worker`. */
void worker_table_remove(struct worker *worker);

/* The worker with that pid, or NULL. */
struct worker *worker_table_find(const struct pool *pool, pid_t pid);

/* Count the workers. */
struct worker_counts worker_table_count(const struct pool *pool);
