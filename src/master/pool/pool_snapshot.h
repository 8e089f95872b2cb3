/* The inputs of a pool's turn: its workers as rows, its closing listeners and its numbers at one moment. Called by
 * pool_turn. */
#pragma once

#include <stdint.h>

struct pool;

/* Begin pool->turn and fill in its inputs. Workers that have reported ready are fed READY on the way. 0; -ENOMEM: the
 * inputs are incomplete. */
int pool_snapshot_take(struct pool *pool, uint64_t now_ms);

/* Drop the inputs, which are valid in this turn only. */
void pool_snapshot_end(struct pool *pool);
