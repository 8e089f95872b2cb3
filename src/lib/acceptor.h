/* The acceptor: how a worker waits for its next connection, on one listener or on several.
 *
 * One listener: blocked in accept4(2) itself (the kernel wakes one waiter, first-in-first-out), retired by the door.
 * Several: an epoll set with EPOLLEXCLUSIVE over non-blocking listeners, and in it a signalfd for the retire signal,
 * because epoll_pwait(2) delivers no signal while events are ready. EPOLLEXCLUSIVE wakes one worker a connection, so
 * one that was woken accepts before it looks whether it was retired. A listener can be found non-blocking (O_NONBLOCK
 * belongs to the open file all generations share, and is never cleared): then the acceptor polls and tries again. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/address.h"

struct acceptor {
        const int *listeners; /* not owned; outlive the acceptor */
        size_t count;
        int epoll_fd;  /* -1 with one listener */
        int signal_fd; /* -1 with one listener */
        size_t watched; /* listeners in the epoll set: those that were not shut down yet */
};

/* Set up waiting on `count` ≥ 1 listeners, several of which must be non-blocking, and install the door (see door.h for
 * `parent` and `orphan_timeout_ms`). To be called with the retire signal blocked. 0 or -errno: of door_install(),
 * epoll_create1(2), signalfd(2). */
int acceptor_open(struct acceptor *acceptor, const int *listeners, size_t count, pid_t parent,
                  unsigned orphan_timeout_ms);

/* Wait for a connection. Stores an O_CLOEXEC descriptor, owned by the caller, and the peer's address, and returns 0.
 * -ESHUTDOWN: the worker was retired (or every listener was shut down, see os/listener.h, and is empty) and shall end.
 * -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: the system is short of something; call acceptor_pause() and try again.
 * Other -errno: the listener cannot be used. Connections that broke before they were accepted are passed over. */
int acceptor_wait(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd);

/* Sleep a moment, less if the retire signal comes. */
void acceptor_pause(const struct acceptor *acceptor);

/* True for the errors that call for acceptor_pause(). */
static inline bool acceptor_is_shortage(int error)
{
        return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}
