/* The roller: replaces the workers of older generations after a reload that changed how workers run; new ones first,
 * within reload_surge. */
#pragma once

#include <stdint.h>

struct pool;
struct worker;

/* The step: look at the pool, act, and say when to look again (ms of the clock, or POOL_NEVER_MS). */
uint64_t rollout_step(struct pool *pool, uint64_t now_ms);

/* From now on new workers are of another generation, and the roll replaces those that are there. */
void rollout_begin_generation(struct pool *pool);

/* A worker can serve: if the roll has started it, an older one may go for it. */
void rollout_note_ready(struct pool *pool, struct worker *worker);
