/* Forks the process of a worker plan. Called by the launchers. */
#pragma once

#include <sys/types.h>

struct worker_plan;

/* Fork a child that runs entry(plan) and ends with its result. It gets the secrets of the plan's pool, and no others.
 * 0 or -errno. */
int plan_fork(const struct worker_plan *plan, int (*entry)(const struct worker_plan *plan), pid_t *ret_pid);
