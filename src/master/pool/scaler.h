/* The scaler: publishes what logic/policy/scaling wants to be woken by, and lets people reset what it remembers. */
#pragma once

struct pool;

/* Publish the levels of the turn. Touches the pool if a count that has changed meanwhile asks for another look. */
void scaler_publish(struct pool *pool);

/* Nobody is missed who is not wanted: what was seen until now is forgotten. */
void scaler_forget(struct pool *pool);

/* start_workers at once, as at the first start. */
void scaler_restart(struct pool *pool);
