/* The workers of a pool: listed from launch to reaping, each in a slot of the scoreboard of its own, counted and found. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct pool;
struct worker;

/* The workers, counted by what they are to the limits. Detached and retiring ones are in no other count, and those that
 * empty closing listeners go with the retiring ones. */
struct pool_counts {
        unsigned starting, idle, busy, detached, retiring;
        unsigned total;     /* against max_workers: starting + idle + busy */
        unsigned old_total; /* of total, those of an older generation */
        unsigned surge;     /* of total, those that a roll has started and that no older one has gone for yet */
};

/* Make a worker in a free slot, all else of it zero, and list it. 0; -ENOMEM; -ENOSPC: there is no slot. */
int worker_table_add(struct pool *pool, struct worker **ret);

/* List a copy of one that a former program of this process has launched, in the slot it has. 0; -EINVAL: the slot is
 * taken, or there is none of that number; -ENOMEM. */
int worker_table_adopt(struct pool *pool, const struct worker *known, struct worker **ret);

/* The worker has a purpose now, or another one: what depends on it. */
void worker_table_note_purpose(struct worker *worker);

/* Forget a worker: its slot is free, it is nobody's replacement, and `worker` is freed. */
void worker_table_remove(struct worker *worker);

/* The one of that number, or NULL. */
struct worker *worker_table_find(const struct pool *pool, pid_t pid);

/* Count the workers. */
struct pool_counts worker_table_count(const struct pool *pool);

/* How many workers may be started ahead of those they replace: as long as no more than max_workers and reload_surge run,
 * retiring ones included. */
unsigned worker_table_surge_room(const struct pool *pool);

/* Sum of requests that have ended, living workers' included. */
uint64_t worker_table_requests(const struct pool *pool);

/* Sum of connections that workers have taken: requests that have begun (those a worker was killed in are forgotten with
 * it) and connections of sources that had too many. */
uint64_t worker_table_accepted(const struct pool *pool);
