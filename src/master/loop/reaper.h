/* The reaper: registers the master's children and collects those that have ended. The only file of master/ that calls
 * wait(2).
 *
 * Owned by struct daemon. Every child of the master is registered with a callback. What must stay true: a registered
 * pid may be signalled, because the pid of a child that was not reaped cannot belong to another process.
 *
 * A child that another process has forked for us (CLONE_PARENT) may end before its pid is known. So during a launch the
 * reaper keeps the statuses of unregistered children, and a late registration gets the kept status. The pid of a reaped
 * child may be reused at once, so a kept status is matched with care: only a late registration gets one, only that of a
 * child that ended after the launch began, and not while an unregistered child with that pid exists. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct evloop;
struct reaper;

/* Called when the child has been reaped; its pid is no longer registered. `status` as of wait(2); `usage` covers the
 * child and the children it waited for. Never called from within a registration. */
typedef void (*reaper_callback)(void *context, pid_t pid, int status, const struct rusage *usage);

/* A child has been stopped by a signal, or continued; of two changes that follow each other closely only the last is
 * told. */
typedef void (*reaper_stop_callback)(void *context, bool stopped);

/* 0 or -ENOMEM. */
int reaper_new(struct evloop *loop, struct reaper **ret);

/* A launch begins, or has ended: its child is registered, or there is none. When the last launch ends, the kept
 * statuses that were not asked for are dropped. The beginning reserves what the registration needs, because a child
 * that exists and cannot be registered may hold a connection already. 0 or -ENOMEM: it has not begun. */
int reaper_begin_launch(struct reaper *reaper);
void reaper_end_launch(struct reaper *reaper);

/* Register a child that this process has forked and not collected. 0; -ENOMEM: never during a launch; -EEXIST: the pid
 * is registered. */
int reaper_add(struct reaper *reaper, pid_t pid, reaper_callback callback, void *context);

/* Register a child that another process has forked for us, for a launch that began at `launched_ms` and has not ended;
 * the child may have ended already. 0: the callback will be called, in a later turn of the loop at the earliest.
 * -ECHILD: there is no such child, and no kept status. -EEXIST: the same, and the pid now belongs to a registered
 * child. */
int reaper_add_late(struct reaper *reaper, pid_t pid, uint64_t launched_ms, reaper_callback callback, void *context);

/* The child that is registered under that pid with `context` becomes another's: its end is told there. 0; -ESRCH: there
 * is no such registration, or the child has ended and its status is not delivered yet. */
int reaper_move(struct reaper *reaper, pid_t pid, const void *context, reaper_callback callback, void *new_context);

/* True if a child is registered under that pid. */
bool reaper_knows(const struct reaper *reaper, pid_t pid);

/* Report when the child that is registered under that pid is stopped or continued, with the context of its
 * registration. Does nothing if there is no such child. */
void reaper_expect_stops(struct reaper *reaper, pid_t pid, reaper_stop_callback callback);

/* Signal a child that is registered with `context`. 0; -ESRCH: there is no such registration, or the child has ended
 * and its status is not delivered yet; -errno of kill(2): the signal is sent again until that succeeds. */
int reaper_kill(struct reaper *reaper, pid_t pid, const void *context, int signal_number);

/* The same for the process group that the child leads, and for the child if it leads none (yet). */
int reaper_kill_group(struct reaper *reaper, pid_t pid, const void *context, int signal_number);

/* Collect every child that has ended, and deliver every status that was asked for; then report children that were
 * stopped or continued. Call it on SIGCHLD, and before the children are handed over. */
void reaper_collect(struct reaper *reaper);

/* True if a child that had already ended at the last call has still not been collected: SIGCHLD does not arrive. */
bool reaper_is_behind(struct reaper *reaper);

void reaper_free(struct reaper *reaper); /* NULL is fine */
