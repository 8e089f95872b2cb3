/* What was observed of a pool, as advice on its limits: for each option whether it fits, with the arithmetic in words.
 * Pure.
 *
 * Called by preforkctl for `advise`, which has the figures from the status document. What must stay true: nothing is
 * advised that was not observed, and where too little was, it says so; the configuration that is advised is one that
 * preforkd accepts. */
#pragma once

#include "logic/status/sizing_advice.h"
#include "logic/status/sizing_facts.h"

/* Judge a pool. 0 or -ENOMEM; end with sizing_clear() in either case. */
int sizing_judge(const struct sizing_input *input, struct sizing *ret);
