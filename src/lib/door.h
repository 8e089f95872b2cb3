/* The door: how a worker that waits in accept(2) on one listener is told to retire, without a window.
 *
 * The retire signal's handler puts a descriptor that is no socket in the place of the listening one. A worker blocked
 * in accept gets EINTR and finds ENOTSOCK when it tries again; one that was about to call it gets ENOTSOCK; one whose
 * accept had already returned serves that connection and gets ENOTSOCK at the next. No connection is accepted and
 * dropped, and nothing polls.
 *
 * The signal is SIGWINCH, whose default action is to do nothing: it cannot hurt a handler that is already executing. It
 * must be blocked until door_install() has run. The state is static because a signal handler has no other way to it:
 * one door a process. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DOOR_SIGNAL SIGWINCH

/* Install the handler, unblock the signal, and have the kernel send it when the parent dies (PR_SET_PDEATHSIG, which
 * must come after the last change of credentials: setresuid(2) clears it). The `listen_count` descriptors in
 * `listen_fds`, which must outlive the process, are all replaced, so that a worker that serves its last request holds no
 * listening socket: whoever comes after a master that was killed can bind the address again. An epoll set still refers to
 * the sockets themselves; who waits in one reads the signal from a signalfd and asks door_is_closed().
 *
 * `parent` is the master's pid: when the signal comes and the parent is another, the master is dead, and after
 * orphan_timeout_ms SIGALRM is raised, for which the worker has a handler. 0, -ESRCH (the master died before we were
 * here), or -errno of eventfd(2), sigaction(2), prctl(2). */
int door_install(const int *listen_fds, size_t listen_count, pid_t parent, unsigned orphan_timeout_ms);

/* Fill *ret with the retire signal alone. */
void door_signal_set(sigset_t *ret);

/* True once the signal came. */
bool door_is_closed(void);

/* True once the signal came and the parent was no longer there. */
bool door_is_orphaned(void);

/* Close it from inside: what the signal's handler does. For a worker that ends by itself. Async-signal-safe. */
void door_close(void);
