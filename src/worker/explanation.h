/* Why a worker cannot serve, in more words than the errno that its master logs: program, interpreter, user.
 *
 * Called by worker_main when the worker is about to end for it; the same words as those of `preforkd -t`. */
#pragma once

#include "logic/protocol/worker_plan.h"

/* Log what can be found out about the stage that failed; nothing for stages that speak for themselves, or if the cause
 * has gone meanwhile. Files are looked at as this process sees them. */
void explanation_log(const struct worker_plan *plan, enum worker_stage stage);
