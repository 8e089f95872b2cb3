/* All that a pool's workers share, in one file: the scoreboard, which is public, and what is of preforkd alone behind
 * it. Whoever has the scoreboard's descriptor has all of it. */
#pragma once

#include "base/connection_ring.h"
#include "base/rate_table.h"
#include "prefork/scoreboard.h"

struct pool_memory {
        struct prefork_scoreboard board;
        struct rate_table rates;
        struct connection_ring connections;
};

/* What is behind a scoreboard that is mapped with it. */
static inline struct rate_table *rate_table_of(struct prefork_scoreboard *board)
{
        return &((struct pool_memory *)(void *)board)->rates;
}

static inline struct connection_ring *connection_ring_of(struct prefork_scoreboard *board)
{
        return &((struct pool_memory *)(void *)board)->connections;
}
