/* What growth_pressure_limit means to the scaling of a pool: as a max_workers that moves. Pure; called by
 * logic/policy/scaling.
 *
 * Above the limit a pool gets no more workers than it had when the pressure rose: those that end are replaced, and it
 * always may have start_workers and min_spare_workers in all, or one worker; under pressure of the processors alone as
 * many as there are processors. Recycling and rolls start theirs by themselves. When the pressure has fallen, the pool
 * grows in steps, one a look, until it has all it wants: otherwise all that waits would be started at once, and the
 * pressure be back before the next look.
 *
 * What must stay true: the pressure is asked for only in a turn in which the pool would grow, or was held back; a turn
 * is asked for only while growth is held back. */
#pragma once

#include <stdbool.h>

struct scale_limits;
struct turn;

/* True if the configuration has such a limit, for a pool that grows. */
bool pressure_limit_applies(const struct turn *turn);

/* Apply it to max_workers; `total` are the workers as `scale` counts them. */
void pressure_limit_apply(struct turn *turn, unsigned total, struct scale_limits *limits);

/* It was decided: there will be `total` workers, and `missing` ones are not started because of the limit. Records the
 * begin and the end, and asks for another turn as long as growth is held back. */
void pressure_limit_note(struct turn *turn, unsigned total, unsigned missing);

/* The decision was carried out: there are `total` workers now, and still `missing` ones; `retired` were surplus. */
void pressure_limit_end(struct turn *turn, unsigned total, unsigned missing, unsigned retired);

/* True if growth is held back, and max_workers would allow more. */
bool pressure_limit_holds(const struct turn *turn);

/* How many more than `total` it allows. */
unsigned pressure_limit_room(const struct turn *turn, unsigned total);
