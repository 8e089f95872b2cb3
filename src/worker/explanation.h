/* Why a worker cannot serve, in more words than the errno that its master logs: program, interpreter, user.
 *
 * Called when the worker is about to end for it; the same words as those of `preforkd -t`. */
#pragma once

#include "logic/protocol/worker_plan.h"

/* Log what can be found out about the pool's program, or its directory; nothing if the cause has gone meanwhile. Files
 * are looked at as this process sees them. */
void explanation_of_program(const struct worker_plan *plan);
void explanation_of_directory(const struct worker_plan *plan);
