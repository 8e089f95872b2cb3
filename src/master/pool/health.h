/* The health of a pool: failed starts and launches delay the next ones, a request that ends well proves the pool. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pool;

/* One request that has ended since the last look proves the pool. */
void health_note_success(struct pool *pool);

/* A worker failed to start: no other one is started for a while. Logged once a delay. */
void health_note_failure(struct pool *pool);

/* A process was made, or could not be (`error` of errno; delays the next ones too). Failures are logged once an
 * episode. */
void health_note_launch(struct pool *pool);
void health_note_launch_failure(struct pool *pool, int error);

/* True while no worker is to be started. */
bool health_is_backing_off(const struct pool *pool, uint64_t now_ms);
