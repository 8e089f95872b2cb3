/* The scaler: publishes the thresholds of logic/policy/scaling in the scoreboard, and resets the state of the policy on
 * orders. Called in a pool's turn and by pool_orders. */
#pragma once

#include <stdint.h>

struct pool;
struct worker_counts;

/* Before the workers are looked at for the turn. */
void scaler_begin_turn(struct pool *pool);

/* For adaptive scaling: when the levels of demand were busy last, as the workers have noted it, into the turn. The
 * snapshot frees it. 0 or -ENOMEM. */
int scaler_take_levels(struct pool *pool);

/* Publish the levels of the turn in all boards. Touches the pool if a count has changed meanwhile and crosses a
 * threshold. */
void scaler_publish(struct pool *pool);

/* Note what the pool has to do at the end of its turn; at any other moment, in which its workers are these. */
void scaler_note_turn(struct pool *pool);
void scaler_note_now(struct pool *pool, uint64_t now_ms, const struct worker_counts *counts);

/* For how long so many workers have not been busy at once; 0: they are (`busy` are now), or that is not known. */
uint64_t scaler_level_idle_ms(const struct pool *pool, unsigned level, unsigned busy, uint64_t now_ms);

/* The lowest number of idle workers since it was reset. While workers report in several boards it is the sum of the
 * lowest numbers of each, which may be less. */
uint32_t scaler_low_water(const struct pool *pool);

/* Forget the shrink timer and the saturation, for a pool that is to have no workers. */
void scaler_forget(struct pool *pool);

/* Start start_workers in the next turn, as at the first start. */
void scaler_restart(struct pool *pool);
