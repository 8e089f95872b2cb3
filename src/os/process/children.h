/* The children of a process, which only /proc knows.
 *
 * Owns nothing. The master uses it for a worker that cannot end its handler itself any more, and for children of its
 * own that somebody else has made (CLONE_PARENT); os/process/process_tree walks through them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Kill (SIGKILL) every child of `parent`, and the process group of each that leads one. Call it while `parent` is a
 * child of the caller that was not reaped: so its children are what they were when they are looked at. 0; -ENOENT: the
 * kernel lists no children (CONFIG_PROC_CHILDREN), or /proc is not mounted. */
int children_kill(pid_t parent);

/* Send every child of `parent` that signal, under the same condition. 0; -errno as above. */
int children_signal(pid_t parent, int number);

/* Call `look` for every child of `parent` that its main thread has made. 0; -errno as above: none was looked at. */
int children_each(pid_t parent, void (*look)(void *context, pid_t pid), void *context);

/* When the process was made, in ticks since the boot; 0: there is none, or /proc is not mounted. */
uint64_t children_born(pid_t pid);

/* Kill (SIGKILL) every child of this process that `is_known` does not know, was made at `born` or later, and has that
 * real user. Returns how many. */
unsigned children_kill_strangers(uid_t uid, uint64_t born, bool (*is_known)(const void *context, pid_t pid),
                                 const void *context);
