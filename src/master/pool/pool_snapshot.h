/* The facts of a pool's turn: its workers as rows, its closing listeners and its numbers, as they are at one moment. */
#pragma once

#include <stdint.h>

struct pool;

/* Begin pool->turn and fill it in. Workers that have become able to serve are noted as ready on the way. 0; -ENOMEM:
 * there are no facts to decide by. */
int pool_snapshot_take(struct pool *pool, uint64_t now_ms);

/* Forget what belongs to the moment alone. */
void pool_snapshot_end(struct pool *pool);
