/* The health of a pool's listeners: whether they still listen, and are what they were when they were opened. Whoever
 * shares a listener may shut it down or change it.
 *
 * It notices and remembers; logic/policy/listening decides, and master/reload/listener_repair acts. It writes
 * pool->listening, apart from the missing addresses, and `dead` and `damage` of each listener. What must stay true: a
 * listener that does not listen is neither watched nor given to workers, so that nobody spins on it. */
#pragma once

struct pool;
struct pool_listener;

/* The listener is in service (again). */
void listener_health_welcome(struct pool *pool, struct pool_listener *item);

/* Compare all listeners with what they should be in the next turn, and open what is missing without delay. */
void listener_health_examine(struct pool *pool);

/* The same for a restart: once more when the workers that have the listeners now have gone. */
void listener_health_examine_twice(struct pool *pool);

/* An address cannot be opened for the first time, or for another reason than before: record it. */
void listener_health_tell_missing(struct pool *pool, const char *name, int error);

/* Open what is missing without delay. */
void listener_health_hurry(struct pool *pool);

/* The pool has come with an upgrade. */
void listener_health_adopt(struct pool *pool);

/* Take what is known into the pool's turn, after looking if it was asked for. */
void listener_health_take(struct pool *pool);
