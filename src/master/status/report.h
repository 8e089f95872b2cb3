/* The report: what the log is told at length: totals of a pool, and how requests and CPU time were spread over its
 * workers. */
#pragma once

struct pool;
struct pool_table;

/* One pool, or all of them. */
void report_pool(const struct pool *pool);
void report_all(const struct pool_table *pools);
