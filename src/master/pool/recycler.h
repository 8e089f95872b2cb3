/* The recycler: tells a worker what logic/policy/recycle has decided about its recycling. */
#pragma once

#include <stdint.h>

struct worker;

/* Give it leave to go after its request; one that is idle is retired instead, for `reason`. */
void recycler_let_go(struct worker *worker, const char *reason, uint64_t now_ms);

/* It serves on, and so does its replacement, if it has one. */
void recycler_serve_on(struct worker *worker);
