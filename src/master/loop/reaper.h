/* The reaper: collects the master's children, and knows which they are. The only file of master/ that waits for
 * processes.
 *
 * Every child the master forks is registered with a callback; the number of a child that was not reaped cannot be
 * another process's, so a registered pid may be signalled. */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

struct reaper;

/* `status` as of wait(2), `usage` of the child and those it waited for. The pid is no longer registered. */
typedef void (*reaper_callback)(void *context, pid_t pid, int status, const struct rusage *usage);

/* 0 or -ENOMEM. */
int reaper_new(struct reaper **ret);

/* Expect a child. 0 or -ENOMEM. */
int reaper_add(struct reaper *reaper, pid_t pid, reaper_callback callback, void *context);

/* Signal a registered child. Any other pid is refused: -ESRCH. 0 or -errno of kill(2). */
int reaper_kill(struct reaper *reaper, pid_t pid, int signal_number);

/* Collect every child that has ended. To be called on SIGCHLD. */
void reaper_collect(struct reaper *reaper);

/* True if a child that had ended by the last call still has not been collected: SIGCHLD does not reach us. */
bool reaper_is_behind(struct reaper *reaper);

void reaper_free(struct reaper *reaper);
