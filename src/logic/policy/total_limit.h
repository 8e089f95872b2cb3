/* What max_workers_total means to the scaling of a pool, given the grant of the turn (logic/policy/budget). Pure;
 * called by logic/policy/scaling. Without a total none of this changes anything. */
#pragma once

#include <stdbool.h>

struct scale_decision;
struct scale_limits;
struct turn;

/* True if the pool has all the workers that the total leaves it, and fewer than max_workers. */
bool total_limit_holds(const struct turn *turn);

/* True if it is too early to tell about that: another pool is being asked for a place. */
bool total_limit_may_pass(const struct turn *turn);

/* True of a pool that has neither a place nor a client: to `scale` its episode goes on, but nobody is kept waiting. */
bool total_limit_leaves_empty(const struct turn *turn);

/* Apply it as a max_workers that moves; `total` are the workers as `scale` counts them. */
void total_limit_apply(const struct turn *turn, unsigned total, struct scale_limits *limits);

/* Take workers that are just being woken out of what the decision gives back. */
void total_limit_spare_woken(struct turn *turn, struct scale_decision *decision);

/* Give back a busy worker, if one must be given and the decision has `ordered` none. */
void total_limit_give_back(struct turn *turn, unsigned ordered);

/* Have the master woken when connections wait, though the pool is full. */
void total_limit_watch(struct turn *turn);
