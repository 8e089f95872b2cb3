#include "master/pool/board_renewal.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/tallies.h"

void board_renewal_end(struct pool *pool)
{
        struct board *unused;

        while ((unused = boards_find_unused(&pool->boards))) {
                connection_reader_flush(&pool->connections);
                tallies_look_at_board(pool, unused);
                pool_counters_inherit_board(pool, &unused->tally.counted);
                boards_drop(&pool->boards, unused);
        }
}

void board_renewal_begin(struct pool *pool)
{
        int r = boards_open(&pool->boards, pool->name);

        if (r < 0) {
                pool_record(pool, LOG_WARNING, "the scoreboard stays as it is: %s",
                            r == -EBUSY ? "too many former ones are still in use" : strerror(-r));
                return;
        }
        pool_publish(pool);
        board_renewal_end(pool);
}
