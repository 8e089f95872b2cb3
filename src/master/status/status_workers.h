/* Collects what the workers of a pool do, one by one: the part of the status that is there on request. */
#pragma once

#include <stdint.h>

struct pool;
struct status_pool;

/* Fill in the workers of `status`, which status_pool_clear() frees, as of the last look of tallies. 0 or -ENOMEM. */
int status_workers_collect(const struct pool *pool, uint64_t now_ms, struct status_pool *status);
