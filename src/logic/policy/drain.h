/* The drain policy: a closing listener is closed when every connection in its queue has been accepted. After the last
 * one, the workers that serve closing listeners only are retired. Pure. One of the policies of a pool's turn. */
#pragma once

#include <stdbool.h>

struct turn;

/* True if what still keeps listeners from being closed are workers that report nothing and that the roll retires. */
bool drain_waits_for_roll(const struct turn *turn);

void drain_decide(struct turn *turn);
