/* Measures what the starts of a pool's workers cost, for adaptive scaling and for advice: processor time, how long they
 * take, and the memory that an idle worker has of its own. It owns pool->starts. Called in the snapshots of turns; it
 * reads /proc for workers that have just become ready, so a pool that stands still costs nothing. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/worth.h"

struct pool;
struct worker;

/* The worker has just become ready, one of so many that started at once. */
void start_meter_note(const struct worker *worker, unsigned at_once, uint64_t now_ms);

/* What a worker has in common with the process that it was forked from, at most; 0: it has executed a program, and
 * shares nothing. And what a process has beyond that; 0: that is not known. */
uint64_t start_meter_shared_bytes(const struct worker *worker);
uint64_t start_meter_own_bytes(pid_t pid, uint64_t shared_bytes);

/* What a start is worth, by what was measured so far. */
struct worth start_meter_worth(const struct pool *pool);
