/* The workers of a pool: listed from launch to reaping, each in a slot of the scoreboard of its own, and counted. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worker_rows.h"

struct pool;
struct worker;

/* Make a worker in a free slot, all else of it zero, and list it. 0; -ENOMEM; -ENOSPC: there is no slot. */
int worker_table_add(struct pool *pool, struct worker **ret);

/* List a copy of one that a former program of this process has launched, in the slot it has. 0; -EINVAL: the slot is
 * taken, or there is none of that number; -ENOMEM. */
int worker_table_adopt(struct pool *pool, const struct worker *known, struct worker **ret);

/* Forget a worker: its slot is free, it is nobody's replacement, and `worker` is freed. */
void worker_table_remove(struct worker *worker);

/* The one of that number, or NULL. */
struct worker *worker_table_find(const struct pool *pool, pid_t pid);

/* Count the workers. */
struct worker_counts worker_table_count(const struct pool *pool);

/* Sum of requests that have ended, living workers' included. */
uint64_t worker_table_requests(const struct pool *pool);

/* Sum of connections that workers have taken: requests that have begun (those a worker was killed in are forgotten with
 * it) and connections of sources that had too many. */
uint64_t worker_table_accepted(const struct pool *pool);
