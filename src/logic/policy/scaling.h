/* The scaling policy of a pool's turn: it gathers the numbers for logic/policy/scale from the rows and turns the
 * decision into orders and thresholds. It also decides when saturation is reported and when the pool has a refuser.
 * Pure. */
#pragma once

struct turn;

/* Note in turn.scaling how many workers are missing for connections that wait, and since when. Before the policies, and
 * only if pools share a budget. */
void scaling_note_waiting(struct turn *turn);

void scaling_decide(struct turn *turn);
