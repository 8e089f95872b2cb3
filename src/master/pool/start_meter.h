/* Measures what the starts of a pool's workers cost, for adaptive scaling: processor time, how long they take, and the
 * memory that an idle worker has of its own. It owns pool->starts. Called in the snapshots of turns; it reads /proc for
 * workers that have just become ready, so a pool that stands still costs nothing. */
#pragma once

#include <stdint.h>

#include "logic/policy/worth.h"

struct pool;
struct worker;

/* The worker has just become ready, one of so many that started at once. Does nothing for pools whose scaling does not
 * ask. */
void start_meter_note(const struct worker *worker, unsigned at_once, uint64_t now_ms);

/* What a start is worth, by what was measured so far; that goes to `ret_measured`, unless it is NULL. */
struct worth start_meter_worth(const struct pool *pool, struct worth_input *ret_measured);
