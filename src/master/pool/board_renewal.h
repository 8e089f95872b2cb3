/* Renews the scoreboard of a pool, because its workers may have written anything into the present one. New workers
 * report in a fresh board; the former is freed when the last worker that reports in it has gone. Called by pool_orders,
 * and where workers go. */
#pragma once

struct pool;

/* Let workers that are launched from now on report in a fresh scoreboard. If that is impossible, the present one stays,
 * which is logged. */
void board_renewal_begin(struct pool *pool);

/* A worker has gone: count what the boards say that are not used any more, and free them. */
void board_renewal_end(struct pool *pool);
