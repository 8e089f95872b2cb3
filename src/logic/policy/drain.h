/* The policy of draining: a closing listener is closed when every connection that the kernel has accepted on it has
 * been served; after the last one the workers that served closing listeners alone are retired. Pure. */
#pragma once

struct turn;

void drain_decide(struct turn *turn);
