/* The report: what the log is told at length: totals of a pool, how requests and CPU time were spread over its workers, and
 * the problems of a configuration. */
#pragma once

struct pool;
struct pool_table;
struct problem_list;

/* One pool, or all of them. */
void report_pool(const struct pool *pool);
void report_all(const struct pool_table *pools);

/* Each problem as a record of its own, with its file and line. */
void report_problems(const struct problem_list *problems);
