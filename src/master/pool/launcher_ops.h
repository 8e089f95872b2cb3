/* How the process of a worker is created: a table of operations, with one implementation per way. Called by
 * launcher. */
#pragma once

#include <sys/types.h>

struct worker;
struct worker_plan;

struct launcher_ops {
        /* Create a process that carries out the plan. The plan and its descriptors are valid until this returns. 0:
         * this process has forked it, as *ret_pid; -EINPROGRESS: launcher_answer() is called with the result, in a
         * later turn of the loop; -errno: it failed. */
        int (*launch)(struct worker *worker, const struct worker_plan *plan, pid_t *ret_pid);
};
