/* The scaling policy of a pool's turn: it gathers the numbers for logic/policy/scale from the rows and turns the
 * decision into orders and thresholds. It also decides when saturation is reported and when the pool has a refuser.
 * Pure. */
#pragma once

#include <stdbool.h>

struct turn;

/* Note in turn.scaling how many workers are missing for connections that wait, and since when. Before the policies, and
 * only if pools share a budget. */
void scaling_note_waiting(struct turn *turn);

/* True if the pressure must be known to decide: the pool would grow, or was held back. When all else in `turn` is
 * filled in; changes nothing. */
bool scaling_asks_pressure(const struct turn *turn);

void scaling_decide(struct turn *turn);
