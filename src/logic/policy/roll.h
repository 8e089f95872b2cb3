/* The policy of rolling: workers of older generations are replaced after a reload that changed how workers run; new
 * ones first, within reload_surge. Pure.
 *
 * What must stay true: an old worker goes only after a new one became ready; and a roll never runs more processes than
 * max_workers and reload_surge together, workers that are ending included. */
#pragma once

struct turn;

void roll_decide(struct turn *turn);
