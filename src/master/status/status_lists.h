/* Collects what of a pool's status is long, and there on request: its workers and its history. Part of status_collect.
 */
#pragma once

#include <stdint.h>

struct pool;
struct status_pool;

/* As of the last look of tallies. 0 or -ENOMEM; status_pool_clear() frees what there is, in either case. */
int status_lists_collect(const struct pool *pool, uint64_t now_ms, struct status_pool *status);
