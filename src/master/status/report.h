/* The report: logs the totals of a pool and how requests and CPU time were spread over its workers. Called on SIGUSR1
 * and when a pool closes. */
#pragma once

struct pool;
struct pool_table;

/* Report one pool, or all of them. */
void report_pool(struct pool *pool);
void report_all(const struct pool_table *pools);
