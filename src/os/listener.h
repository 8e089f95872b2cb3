/* A listener: one listening socket, opened, adjusted, measured and closed.
 *
 * Owned by the master; workers inherit the descriptor. What must stay true: an unchanged listener is never closed, and
 * a UNIX path is only taken over when nobody listens behind it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"

struct listener_options {
        unsigned backlog;
        bool ipv6_only, tcp_nodelay, tcp_keepalive, defer_accept;
        bool nonblocking; /* several processes' epoll sets share it; never cleared again on an open listener */
        uid_t socket_uid; /* UNIX paths; (uid_t)-1: leave as created */
        gid_t socket_gid;
        mode_t socket_mode;
};

struct listener {
        int fd;
        struct address address;
        dev_t device; /* of a UNIX path, so that only our own file is ever unlinked */
        ino_t inode;
        uint32_t effective_backlog; /* after the kernel's cut to net.core.somaxconn */
};

/* Bind and listen. On success the listener owns an O_CLOEXEC descriptor and 0 is returned. On failure returns -errno
 * and leaves *ret alone: -EADDRINUSE (somebody listens there), -EADDRNOTAVAIL, -EACCES, -ENOTSOCK (the path is a file
 * that is no socket), … For `[::]` without ipv6_only on a system without IPv6, 0.0.0.0 is bound. */
int listener_open(const struct address *address, const struct listener_options *options, struct listener *ret);

/* Set the options that can change on an open listener (all but ipv6_only). 0 or -errno of the first that failed;
 * -ENOENT: the UNIX path is gone, or is not ours any more and left alone. */
int listener_adjust(struct listener *listener, const struct listener_options *options);

/* Connections that wait in the queue now: tcp(7) TCP_INFO (tcpi_unacked of a listening socket), sock_diag(7) for UNIX
 * sockets. Never waits. 0 or -errno. */
int listener_queue_length(const struct listener *listener, uint32_t *ret);

/* Begin to drain. TCP: a socket filter drops new SYNs, so that clients try again instead of being reset, while what the
 * kernel has accepted stays in the queue. UNIX: shut for reading: new connects are refused, queued ones can be
 * accepted, and then poll(2) says POLLRDHUP; a path is unlinked first. Sets O_NONBLOCK. 0 or -errno; -EPERM: the kernel
 * is one that lets nobody attach a filter who has not CAP_NET_ADMIN, and new connections go on arriving. */
int listener_drain(struct listener *listener);

/* Take a draining TCP listener back into service. 0; -EOPNOTSUPP for UNIX sockets, which cannot be; -errno. */
int listener_undrain(struct listener *listener);

/* True if nothing waits and no TCP handshake is under way on the listener (its final ACK would still be accepted by the
 * kernel). Costs a dump of the half-open sockets: for draining only. */
bool listener_is_drained(const struct listener *listener);

/* Close, for every process that holds the socket: nobody listens afterwards, and accept(2) fails with EINVAL in workers
 * that have it still. Unlinks the UNIX path if it is still ours. */
void listener_close(struct listener *listener);
