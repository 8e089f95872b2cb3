/* Scaling in a pool's turn: gathers the numbers for logic/policy/scale from the rows and turns its decision into orders
 * and thresholds. Also decides when a full pool is reported and when it has a refuser. Pure. */
#pragma once

struct turn;

void scaling_decide(struct turn *turn);
