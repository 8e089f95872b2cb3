/* The children of another process of ours, which only /proc knows.
 *
 * Owns nothing. The master uses it for a worker that cannot end its handler itself any more. */
#pragma once

#include <sys/types.h>

/* Kill (SIGKILL) every child of `parent`, and the process group of each that leads one. Call it while `parent` is a
 * child of the caller that was not reaped: so its children are what they were when they are looked at. 0; -ENOENT: the
 * kernel lists no children (CONFIG_PROC_CHILDREN), or /proc is not mounted. */
int children_kill(pid_t parent);

/* Send every child of `parent` that signal, under the same condition. 0; -errno as above. */
int children_signal(pid_t parent, int number);
