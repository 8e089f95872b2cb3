/* The health of a pool: failed starts and failed launches delay the next ones (logic/policy/backoff); a successful
 * request ends the series of failures. It alone writes pool->health. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pool;

/* If a request has ended since the last call, the pool has succeeded. */
void health_note_success(struct pool *pool);

/* A worker that reports no requests has lived: the pool works. */
void health_note_life(struct pool *pool);

/* A worker failed to start: the next start is delayed. Logged once per delay. */
void health_note_failure(struct pool *pool);

/* A worker could not serve: is that to be logged? Not if it is what was logged last and the delay that followed runs:
 * workers that were started together fail together. To be asked before health_note_failure(). */
bool health_tells(struct pool *pool, uint32_t stage, uint32_t error);

/* A process was created, or could not be created (`error` is an errno value); a failure delays the next start as well.
 * Failures are logged once until a launch succeeds. */
void health_note_launch(struct pool *pool);
void health_note_launch_failure(struct pool *pool, int error);

/* True while no worker may be started. */
bool health_is_backing_off(const struct pool *pool, uint64_t now_ms);
