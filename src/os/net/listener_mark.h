/* What waits at listeners at one moment, to be compared with a later one: has somebody taken something meanwhile?
 * Nothing is taken here. Called by master/pool. */
#pragma once

#include <stdint.h>

#include "os/net/listener.h"

/* Of one listener, or summed up over several. */
struct listener_mark {
        uint64_t waiting; /* in a unit of the listener's own: less when something was taken and nothing has come */
        uint64_t first;   /* of datagrams: tells the first from others; 0: none */
};

/* Add what waits at this listener. */
void listener_mark_add(struct listener_mark *mark, const struct listener *listener);
