/* The rolling policy: after a reload that changed how workers run, workers of older generations are replaced; new ones
 * are started first, within reload_surge. Pure.
 *
 * One of the policies of a pool's turn. What must stay true: an old worker goes only after a new one is ready; and
 * during a roll no more than max_workers + reload_surge processes run, including workers that are ending. */
#pragma once

struct turn;

void roll_decide(struct turn *turn);
