/* The template of a pool: a program that has stopped, and of which a worker is made for each order of the master.
 *
 * Called by preload/copies at the stop. What must stay true: a worker is a child of the master, and has nothing of the
 * template but the program's memory and descriptors: the slot, the pipes and the listeners come with the order. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* True if this process is a template that has not stopped yet. */
bool template_is_expected(void);

/* At the stop: carry out orders. `fork_worker` makes a process that is a child of the master, with all signals blocked:
 * 0 in it, its pid, or -errno. Returns in each worker, with all signals blocked, ready for service_begin(); ends with
 * the master. */
void template_run(pid_t (*fork_worker)(void));
