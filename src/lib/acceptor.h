/* The acceptor: how a worker waits for its next connection, on one listener or on several. Called by
 * worker/accept_loop.
 *
 * With one listener the worker blocks in accept4(2) itself (the kernel wakes one waiter, first-in-first-out), and the
 * door retires it. With several, the worker waits in an epoll set with EPOLLEXCLUSIVE over non-blocking listeners. The
 * set also has a signalfd for the retire signal, because epoll_pwait(2) delivers no signal while events are ready.
 * EPOLLEXCLUSIVE wakes one worker for each connection, so a worker that was woken accepts before it checks whether it
 * was retired. A single listener may be non-blocking, because all generations share the open file with its O_NONBLOCK,
 * which is never cleared: then the acceptor polls and tries again. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/address.h"

struct acceptor {
        const int *listeners; /* not owned; outlive the acceptor */
        size_t count;
        int epoll_fd;     /* -1 with one listener */
        int signal_fd;    /* -1 with one listener */
        size_t watched;   /* listeners in the epoll set: those that have not been shut down */
        int failed;       /* the listener of the last -errno that was none of the listed ones */
        unsigned skipped; /* passing errors since the last connection or pause */
        /* Set by the caller, or NULL: what is called instead of accept4(2). A descriptor, or -1 for something else that
         * was taken from the listener, with 0; or -errno as accept4(2). */
        int (*take)(void *context, int listener, struct address *ret_peer, int *ret_fd);
        void *context;           /* of take() */
        bool returns_on_signals; /* set by the caller: acceptor_wait() returns -EINTR after a signal other than the
                                  * door's, so that a program's own handlers have an effect */
};

/* Prepare to wait on `count` ≥ 1 listeners, and install the door (see door.h for `parent` and `orphan_timeout_ms`). If
 * there are several listeners, all must be non-blocking. The caller has blocked the retire signal. 0 or -errno: of
 * door_install(), epoll_create1(2), signalfd(2). */
int acceptor_open(struct acceptor *acceptor, const int *listeners, size_t count, pid_t parent,
                  unsigned orphan_timeout_ms);

/* The same for a further thread of a worker, without the door, which is that of the first. */
int acceptor_join(struct acceptor *acceptor, const int *listeners, size_t count);

/* Wait for a connection. Stores an O_CLOEXEC descriptor, owned by the caller, and the peer's address, and returns 0.
 * -ESHUTDOWN: the worker must end, because it was retired or because every listener was shut down (os/net/listener.h)
 * and is empty. -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: the system lacks a resource; call acceptor_pause() and try again.
 * Passing errors: connections that broke before they were accepted are skipped, but after very many in a row the cause
 * must be another (a security module, a filter of system calls); do the same. -EINTR: with returns_on_signals, a signal
 * came, or a connection was skipped. Other -errno: the listener acceptor->failed cannot be used. */
int acceptor_wait(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd);

/* Where the descriptor is that can be polled for the next connection: of the listener, or of the set of several. */
static inline const int *acceptor_watched(const struct acceptor *acceptor)
{
        return acceptor->count == 1 ? acceptor->listeners : &acceptor->epoll_fd;
}

/* accept4(2) as acceptor_wait() calls it where there is no take(). 0 with a connection, or -errno. */
int acceptor_accept(int listener, struct address *ret_peer, int *ret_fd);

/* Sleep for a moment; the retire signal ends it early. */
void acceptor_pause(const struct acceptor *acceptor);

/* True for errors of accept(2) that concern one broken connection and not the listener: Linux passes pending network
 * errors on (accept(2), NOTES). */
static inline bool acceptor_is_passing(int error)
{
        switch (-error) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case EPERM:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
        case ETIMEDOUT:
                return true;
        default:
                return false;
        }
}

/* True if the system lacks a resource. */
static inline bool acceptor_is_shortage(int error)
{
        return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}
