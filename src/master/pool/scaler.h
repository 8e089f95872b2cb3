/* The scaler: gathers the numbers, asks logic/scale_policy, and carries its decision out, in bounded batches. */
#pragma once

#include <stdint.h>

struct pool;

/* The step: look at the pool, act, and say when to look again (ms of the clock, or POOL_NEVER_MS). */
uint64_t scaler_step(struct pool *pool, uint64_t now_ms);

/* Nobody is missed who is not wanted: what was seen until now is forgotten. */
void scaler_forget(struct pool *pool);

/* start_workers at once, as at the first start. */
void scaler_restart(struct pool *pool);
