/* How many workers a pool may have, and what becomes of clients when all are busy. Pure. Called by logic/status/sizing.
 */
#pragma once

#include "logic/status/sizing_facts.h"

/* Judge these options. */
void sizing_judge_workers(const struct sizing_facts *facts, struct sizing *to);
