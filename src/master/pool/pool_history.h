/* Keeps the history of a pool: at its turns, and when it is asked for. It alone writes pool->counters.history. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct history_row;
struct pool;

/* Look at the counters and note what has happened, if it is time to. */
void pool_history_note(struct pool *pool, uint64_t now_ms);

/* A turn has done its work: the workers are those of its rows until the next one. */
void pool_history_see(struct pool *pool, uint64_t now_ms);

/* history_read() of it, as of the last look of tallies: HISTORY_INTERVALS + 1 rows at most. */
size_t pool_history_read(const struct pool *pool, uint64_t now_ms, struct history_row *ret);
