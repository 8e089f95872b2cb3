/* Opens the addresses of a running pool that have no listener, and puts listeners right that a process of the pool has
 * shut down or changed. logic/policy/listening decides when, and by which remedy.
 *
 * What must stay true: a listener that clients can reach is closed only if another one is open at its address, and then
 * drains; workers that do not have a new listener belong to an older generation, so that they are replaced. */
#pragma once

struct listener_sources;
struct pool;

void listener_repair(const struct listener_sources *sources, struct pool *pool);
