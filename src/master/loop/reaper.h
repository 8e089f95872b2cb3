/* The reaper: collects the master's children, and knows which they are. The only file of master/ that waits for
 * processes.
 *
 * Every child of the master is registered with a callback; the number of a child that was not reaped cannot be another
 * process's, so a registered pid may be signalled.
 *
 * A child that others have forked for us (CLONE_PARENT) may end before we are told its number. While a launch is under
 * way the reaper therefore keeps the statuses of children that it does not know; who registers late gets the kept one.
 * The number of a child that was reaped may be another's at once, so a kept status is matched with care: only a late
 * registration gets one, only one of a child that ended after the launch began, and not while an unregistered child of
 * that number lives. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct evloop;
struct reaper;

/* `status` as of wait(2), `usage` of the child and those it waited for. The pid is no longer registered. Never called
 * from within a registration. */
typedef void (*reaper_callback)(void *context, pid_t pid, int status, const struct rusage *usage);

/* 0 or -ENOMEM. */
int reaper_new(struct evloop *loop, struct reaper **ret);

/* A launch begins, or has come to its end: the number of its child is registered, or there is none. When the last one
 * ends, the statuses that nobody has asked for are forgotten. */
void reaper_begin_launch(struct reaper *reaper);
void reaper_end_launch(struct reaper *reaper);

/* Expect a child that this process has forked and not collected. 0; -ENOMEM; -EEXIST: the pid is registered. */
int reaper_add(struct reaper *reaper, pid_t pid, reaper_callback callback, void *context);

/* Expect a child that others have forked for us, for a launch that began at `launched_ms` and has not come to its end;
 * it may have ended. 0: the callback will be called, from a later turn of the loop at the earliest. -ECHILD: there is
 * no such child; it never was one, or its status was not kept. -EEXIST: the same, and the pid is that of a registered
 * child by now. -ENOMEM: it is a child that was not collected, and cannot be registered. */
int reaper_add_late(struct reaper *reaper, pid_t pid, uint64_t launched_ms, reaper_callback callback, void *context);

/* Signal a child that is registered with that context. Any other is refused: -ESRCH; so is one whose status is known
 * and not delivered yet. 0 or -errno of kill(2). */
int reaper_kill(const struct reaper *reaper, pid_t pid, const void *context, int signal_number);

/* Collect every child that has ended, and deliver every status that was asked for. To be called on SIGCHLD, and before
 * the children are handed over. */
void reaper_collect(struct reaper *reaper);

/* True if a child that had ended by the last call still has not been collected: SIGCHLD does not reach us. */
bool reaper_is_behind(struct reaper *reaper);

void reaper_free(struct reaper *reaper); /* NULL is fine */
