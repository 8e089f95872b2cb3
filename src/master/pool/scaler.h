/* The scaler: publishes the thresholds of logic/policy/scaling in the scoreboard, and resets the state of the policy on
 * orders. Called in a pool's turn and by pool_orders. */
#pragma once

struct pool;

/* Publish the levels of the turn. Touches the pool if a count has changed meanwhile and crosses a threshold. */
void scaler_publish(struct pool *pool);

/* Forget the shrink timer and the saturation, for a pool that is to have no workers. */
void scaler_forget(struct pool *pool);

/* Start start_workers in the next turn, as at the first start. */
void scaler_restart(struct pool *pool);
