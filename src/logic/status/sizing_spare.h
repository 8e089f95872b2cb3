/* How many workers are started ahead of demand, how many idle ones stay, for how long, and who decides that. Pure.
 * Called by logic/status/sizing. */
#pragma once

#include "logic/status/sizing_facts.h"

/* Judge these options. */
void sizing_judge_spare(const struct sizing_facts *facts, struct sizing *to);
