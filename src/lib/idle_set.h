/* The idle set: which of a pool's workers wait for a connection, one bit a slot.
 *
 * A worker owns its own bit while it lives; the master clears the bit of a slot it has reaped or retired. Because a bit
 * is set and cleared by one atomic operation, no death at any instruction makes the set drift, as a counter would. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "prefork/scoreboard.h"

/* Add or remove slot `index` (< SCOREBOARD_SLOTS). Removing returns whether it was in the set. */
void idle_set_add(struct scoreboard *board, uint32_t index);
bool idle_set_remove(struct scoreboard *board, uint32_t index);

bool idle_set_has(const struct scoreboard *board, uint32_t index);

/* How many slots below slot_limit are in the set. */
uint32_t idle_set_count(const struct scoreboard *board);
