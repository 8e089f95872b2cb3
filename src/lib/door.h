/* The door: how the master tells a worker that waits in accept(2) to retire, without a race.
 *
 * The handler of the retire signal replaces the listening descriptor with one that is not a socket. A worker that is
 * blocked in accept gets EINTR, and ENOTSOCK when it tries again. A worker that is about to call accept gets ENOTSOCK.
 * A worker whose accept has returned serves that connection and gets ENOTSOCK at the next call. So no connection is
 * accepted and then dropped, and nothing polls.
 *
 * The signal is SIGWINCH, whose default action is to do nothing, so that it cannot harm a handler that already
 * executes. It must be blocked until door_install() has run. The state is static because a signal handler cannot reach
 * it otherwise: a process has one door. Called by the acceptor and the refuser.
 *
 * A worker with threads has one door for all of them. Replacing a descriptor does not end an accept that another thread
 * is blocked in, so whoever closes the door sends the signal on to each thread, once: it interrupts the accept, or is
 * pending before it, and the descriptor is replaced by then. Threads that wait in epoll sets are a special case: the
 * kernel wakes one of them for each connection, which must still be able to accept it. So the listeners are replaced
 * when the last of them has left its wait. */
#pragma once

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DOOR_SIGNAL SIGWINCH

/* Install the signal handler, unblock the signal, and have the kernel send it when the parent dies. Call this after the
 * last change of credentials, because setresuid(2) clears PR_SET_PDEATHSIG. The array `listen_fds` of `listen_count`
 * descriptors must live as long as the process. The signal handler replaces all of them, so that a worker that serves
 * its last request holds no listening socket, and the successor of a master that was killed can bind the address. An
 * epoll set still refers to the sockets themselves: a worker that waits in one reads the signal from a signalfd and
 * asks door_is_closed().
 *
 * `parent` is the master's pid. If the signal comes and the parent has another pid, the master is dead; then SIGALRM,
 * for which the worker has a handler, follows after orphan_timeout_ms. 0; -ESRCH: the master had died before this call;
 * or -errno of eventfd(2), sigaction(2), prctl(2). */
int door_install(const int *listen_fds, size_t listen_count, pid_t parent, unsigned orphan_timeout_ms);

/* Before door_install(), in a worker with threads: the numbers of those that accept; 0: it does not yet, or any more.
 * The array lives as long as the process. With `in_sets` they wait in epoll sets, between door_enter() and
 * door_leave(). Each thread unblocks the signal itself. */
void door_set_threads(const _Atomic pid_t *tids, size_t count, bool in_sets);

/* Before door_install(): call this when the door closes, too, from a signal handler perhaps. */
void door_set_teller(void (*tell)(void));

/* This process is a worker no more: undo door_install(). No effect if it has not been called. */
void door_uninstall(void);

/* In a process that the worker has forked, and that waits in its place: its parent is the worker. The end of that
 * closes its door, and means nothing else. 0; -ESRCH: the worker has ended; or -errno of prctl(2). */
int door_follow(pid_t worker);

/* A thread begins or ends to wait in an epoll set. No effect without such threads. */
void door_enter(void);
void door_leave(void);

/* Fill *ret with the retire signal alone. */
void door_signal_set(sigset_t *ret);

/* The array of listeners has so many descriptors now: a program's copies of a listener count as listeners. */
void door_set_count(size_t listen_count);

/* The door's own descriptor; -1: there is none. */
int door_fd(void);

/* The program wants the number `fd`: if it is the door's own descriptor, that moves. */
void door_make_way(int fd);

/* True if this process has called door_install(). */
bool door_is_installed(void);

/* True after the signal, or after door_close(). */
bool door_is_closed(void);

/* Sleep for so long; the signal ends it early, and after it this returns at once. */
void door_sleep(uint64_t ns);

/* What door_install() was given. */
unsigned door_orphan_timeout_ms(void);

/* True after the signal, if the master was dead. */
bool door_is_orphaned(void);

/* Do what the signal's handler does, for a worker that reads the signal itself, and for a thread that ends its worker.
 * Async-signal-safe. */
void door_close(void);
