/* A listener: one listening socket, opened, adjusted, measured and closed.
 *
 * Owned by the master; workers inherit the descriptor. What must stay true: an unchanged listener is never closed, and
 * a UNIX path is only taken over when nobody listens behind it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"

/* Options that a socket unit may have set on a socket it made, too. */
enum {
        LISTENER_BACKLOG = 1 << 0, LISTENER_NODELAY = 1 << 1, LISTENER_KEEPALIVE = 1 << 2, LISTENER_DEFER_ACCEPT = 1 << 3,
};

struct listener_options {
        unsigned backlog;
        bool ipv6_only, tcp_nodelay, tcp_keepalive, defer_accept;
        bool nonblocking; /* several processes' epoll sets share it; never cleared again on an open listener */
        uid_t socket_uid; /* UNIX paths; (uid_t)-1: leave as created */
        gid_t socket_gid;
        mode_t socket_mode;
        unsigned defaults; /* LISTENER_… bits: nobody has asked for these; an activated socket keeps what its unit set */
};

/* Who else holds the socket, and goes on with it when we let go. */
enum listener_tie {
        LISTENER_OWN,       /* nobody */
        LISTENER_STORED,    /* the service manager's descriptor store, for our successor */
        LISTENER_ACTIVATED, /* the service manager, whose socket it is: it starts us again when somebody connects */
};

struct listener {
        int fd;
        enum listener_tie tie;
        struct address address;
        dev_t device; /* of a UNIX path, so that only our own file is ever unlinked */
        ino_t inode;
        bool filtered; /* listener_drain() keeps new connections away, by a filter or by a decoy */
        int decoy_fd;  /* see os/tcp_barrier.h; -1: there is none */
        uint32_t effective_backlog; /* after the kernel's cut to net.core.somaxconn */
};

/* Bind and listen. On success the listener owns an O_CLOEXEC descriptor and 0 is returned. On failure returns -errno
 * and leaves *ret alone: -EADDRINUSE (somebody listens there), -EADDRNOTAVAIL, -EACCES, -ENOTSOCK (the path is a file
 * that is no socket), … For `[::]` without ipv6_only on a system without IPv6, 0.0.0.0 is bound. */
int listener_open(const struct address *address, const struct listener_options *options, struct listener *ret);

/* Would listener_open() do? As far as that can be told without being seen: what has an address of its own is bound, but does
 * not listen, so that who connects meanwhile finds what was there before, and let go at once; of a UNIX path only the
 * directory and the kind of file are looked at, for whether somebody listens behind it is known by connecting alone. 0 or
 * the -errno of listener_open(). */
int listener_try(const struct address *address, const struct listener_options *options);

/* Take over a listening socket that was not opened here: `fd` (which the listener owns on success; close-on-exec
 * already) listens on `bound`, and is known as `address`. Undoes what listener_drain() of a predecessor did, and applies
 * the options. 0; -ESTALE: a stored socket that cannot serve as `address` any more, because its path belongs to another
 * file or ipv6_only has changed; -errno. On failure *ret is left alone and `fd` stays the caller's. */
int listener_adopt(int fd, const struct address *bound, const struct address *address, enum listener_tie tie,
                   const struct listener_options *options, struct listener *ret);

/* True if a socket bound to `bound` is what listener_open() would make for `address`. */
bool listener_is_for(const struct address *bound, const struct address *address);

/* Set the options that can change on an open listener (all but ipv6_only). 0 or -errno of the first that failed;
 * -ENOENT: the UNIX path is gone, or is not ours any more and left alone. */
int listener_adjust(struct listener *listener, const struct listener_options *options);

/* Connections that wait in the queue now: tcp(7) TCP_INFO (tcpi_unacked of a listening socket), sock_diag(7) for UNIX
 * sockets. Never waits. 0 or -errno. */
int listener_queue_length(const struct listener *listener, uint32_t *ret);

/* Begin to drain. TCP: new SYNs are dropped, so that clients try again instead of being reset, while what the kernel has
 * accepted stays in the queue: by a socket filter, or where the kernel does not let us by a decoy (os/tcp_barrier.h).
 * UNIX: shut for reading: new connects are refused, queued ones can be accepted, and then poll(2) says POLLRDHUP; a path
 * is unlinked first. Sets O_NONBLOCK. 0 or -errno, of the decoy: new connections go on arriving then.
 *
 * What our successor or the service manager goes on with is spared: a stored UNIX listener is not shut (that could never
 * be undone), an activated one not even filtered, so that new connections still come. */
int listener_drain(struct listener *listener);

/* True if a draining listener is open to new connections all the same, which somebody else will serve: one that
 * listener_drain() spares, or a stored one that new connections could not be kept from. */
bool listener_stays_open(const struct listener *listener);

/* Take a draining listener back into service. 0, also where nothing kept connections away; -EOPNOTSUPP for UNIX sockets
 * that were shut; -errno. */
int listener_undrain(struct listener *listener);

/* True if nothing waits and no TCP handshake is under way on the listener (its final ACK would still be accepted by the
 * kernel). Costs a dump of the half-open sockets: for draining only. */
bool listener_is_drained(const struct listener *listener);

/* A listener of our own: close it for every process that holds the socket: nobody listens afterwards, and accept(2) fails with EINVAL in workers
 * that have it still. Unlinks the UNIX path if it is still ours. Any other: close our descriptor, no more. */
void listener_close(struct listener *listener);
