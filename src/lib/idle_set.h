/* The idle set: which of a pool's workers wait for a connection. Each slot has one bit.
 *
 * A worker sets and clears its own bit; the master clears the bit of a slot whose worker it has reaped or retired. One
 * atomic operation changes a bit, so the set stays correct if a worker dies at any instruction; a counter would
 * drift. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "prefork/scoreboard.h"

/* Add or remove slot `index` (< PREFORK_SCOREBOARD_SLOTS). idle_set_remove() returns whether it was in the set. */
void idle_set_add(struct prefork_scoreboard *board, uint32_t index);
bool idle_set_remove(struct prefork_scoreboard *board, uint32_t index);

bool idle_set_has(const struct prefork_scoreboard *board, uint32_t index);

/* How many slots below slot_limit are in the set. */
uint32_t idle_set_count(const struct prefork_scoreboard *board);
