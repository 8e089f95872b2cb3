/* After how many requests a worker is replaced: by what those that have served more have more. Pure. Called by
 * logic/status/sizing. */
#pragma once

#include "logic/status/sizing_facts.h"

/* Judge these options. */
void sizing_judge_recycling(const struct sizing_facts *facts, struct sizing *to);
