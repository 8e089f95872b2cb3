/* How a process of a worker is made: one table of operations, as a file system has. */
#pragma once

#include <sys/types.h>

struct worker;
struct worker_plan;

struct launcher_ops {
        /* Have a process that carries out the plan, which is valid until this returns, as are the descriptors in it. 0:
         * this process has forked it, and *ret_pid is its number; -EINPROGRESS: launcher_answer() will say, from a
         * later turn of the loop; -errno: there will be none. */
        int (*launch)(const struct worker *worker, const struct worker_plan *plan, pid_t *ret_pid);
};
