/* The report: a pool's totals and how requests and CPU time were spread over its workers, in words, for the log. */
#pragma once

struct master;
struct pool;

/* One pool, or all of them. */
void report_pool(const struct pool *pool);
void report_all(const struct master *master);
