/* The recycler: answers a worker as logic/policy/recycle has decided. Called by turn_orders. */
#pragma once

#include <stdint.h>

struct worker;

/* Allow the worker to end after its request; if it is idle or has threads, retire it, for `reason`. */
void recycler_let_go(struct worker *worker, const char *reason, uint64_t now_ms);

/* The worker serves on, and so does its replacement, if any. */
void recycler_serve_on(struct worker *worker);
