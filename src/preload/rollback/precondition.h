/* What of the process itself, not of its mappings, prevents rollback. Called by rollback_check(). */
#pragma once

#include "lib/rollback_obstacle.h"
#include "preload/rollback/thread_state.h"

/* ROLLBACK_NO_OBSTACLE, or the first of them. Changes nothing. */
enum rollback_obstacle precondition_check(const struct thread_state *thread);
