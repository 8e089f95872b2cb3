/* A listener: one socket at which clients arrive, opened, adjusted, measured, drained and closed. It listens for
 * connections, or gets datagrams (address.datagram), as far as they have that in common.
 *
 * Owned by a pool's listener set (master/pool/listener_set) or by the control socket; workers inherit the descriptor.
 * What must stay true: a listener that does not change is never closed, and a UNIX path is taken over only if no
 * process listens on it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"
#include "os/net/listener_socket.h"
#include "os/net/unix_file.h"

/* Who else holds the socket, and uses it after we have closed it. */
enum listener_origin {
        LISTENER_OWN,       /* nobody */
        LISTENER_STORED,    /* the service manager's descriptor store, for our successor */
        LISTENER_ACTIVATED, /* the service manager, which made it: it starts us again when a client connects */
};

struct listener {
        int fd;
        enum listener_origin origin;
        struct address address;
        struct unix_file file;      /* of a UNIX path */
        bool replaced;              /* another listener of ours has its address: it drains for good */
        bool filtered;              /* listener_drain() keeps new connections away, by a filter or by a decoy */
        int decoy_fd;               /* see os/net/tcp_barrier.h; -1: there is none */
        uint32_t effective_backlog; /* as the kernel has limited it (net.core.somaxconn) */
};

/* Bind and listen. 0: the listener owns an O_CLOEXEC descriptor. -errno: *ret is unchanged; -EADDRINUSE: another
 * process listens there; -EBUSY: nobody does, but a process still has the socket of that abstract name; -EADDRNOTAVAIL,
 * -EACCES; -ENOTSOCK: the path is a file that is not a socket; and others. On a system without IPv6, `[::]` without
 * ipv6_only means 0.0.0.0. */
int listener_open(const struct address *address, const struct listener_options *options, struct listener *ret);

/* Dry run of listener_open() without visible effects. It binds a TCP or abstract address without listening and closes
 * the socket at once, so clients that connect notice nothing. For a UNIX path it checks only the directory and the type
 * of the file, because only a connection could show whether a process listens. 0 or the -errno of listener_open(). */
int listener_try(const struct address *address, const struct listener_options *options);

/* Take over a listening socket that another process opened. `fd` (close-on-exec; the listener owns it on success)
 * listens on `bound`, and the configuration calls it `address`. Undoes what listener_drain() in our predecessor did,
 * and applies the options. 0; -ESTALE: a stored socket can no longer serve as `address`, because its path is another
 * file now or ipv6_only has changed; -errno. On failure *ret is unchanged and the caller keeps `fd`. */
int listener_adopt(int fd, const struct address *bound, const struct address *address, enum listener_origin origin,
                   const struct listener_options *options, struct listener *ret);

/* Let another listener of our own, whose address clashes with this one's, be opened beside it (`shares_port`), or end
 * that. While it is on, and as long as the kernel remembers it for the port, processes of our own user may bind the
 * address too. Does nothing for UNIX and activated listeners, and for those with a decoy, which needs the option. */
void listener_share_port(const struct listener *listener, bool on);

/* True if the file of a UNIX listener is at its path. */
bool listener_is_in_place(const struct listener *listener);

/* True for a UNIX listener that clients do not reach any more, because its file was removed, and the path is free or
 * has a socket at which nobody listens. */
bool listener_is_lost(const struct listener *listener);

/* True if `path` leads to the file of this UNIX listener. */
bool listener_has_file(const struct listener *listener, const char *path);

/* True if listener_open() for `address` would make a socket that is bound to `bound`. */
bool listener_is_for(const struct address *bound, const struct address *address);

/* Let accept(2) return instead of waiting, for every process that has the listener; never taken back. 0 or -errno. */
int listener_make_nonblocking(const struct listener *listener);

/* Set the options that can change on an open listener (all but ipv6_only). 0, or -errno of the first that failed;
 * -ENOENT: the UNIX path does not exist or belongs to another socket, and is left unchanged. */
int listener_adjust(struct listener *listener, const struct listener_options *options);

/* The maximum length of its queue now, as the kernel has it; where that is not known, as it was. */
uint32_t listener_read_backlog(const struct listener *listener);

/* The number of connections that wait in the queue: TCP_INFO of tcp(7) (tcpi_unacked of a listening socket), and 1 if
 * any waits where that is refused; or sock_diag(7) for UNIX sockets; where that is refused, by /proc, and without /proc
 * 1 if any waits. Of datagrams: 1 if any waits. Never blocks. 0 or -errno, also if the queue of a UNIX listener that
 * was shut is not known. */
int listener_queue_length(const struct listener *listener, uint32_t *ret);

/* Begin to drain. TCP: drop new SYNs by a socket filter or, if the kernel refuses that, by a decoy
 * (os/net/tcp_barrier.h), so that clients try again and are not reset; accepted connections stay in the queue. UNIX:
 * unlink a path, and shut the socket for reading: new connections are refused, queued ones can still be accepted, and
 * after that poll(2) returns POLLRDHUP. UDP: drop new datagrams by a filter. Sets O_NONBLOCK. 0, or -errno of the decoy
 * (of datagrams: of the filter): then new connections still arrive.
 *
 * A listener that was replaced needs no such thing: new connections are directed to the one that has its address.
 *
 * A listener that our successor or the service manager will use is treated with care: a stored UNIX listener is not
 * shut, because that could not be undone, and an activated one is not filtered either, so that both still get
 * connections.
 *
 * `unnoticed`: for programs to which any change would be an error. There is no O_NONBLOCK, and a UNIX listener with a
 * path is not shut; whoever has connected to it before can still be accepted. */
int listener_drain(struct listener *listener, bool unnoticed);

/* Remove the file of a UNIX listener that stays open, so that another can be bound to its path. */
void listener_leave_path(const struct listener *listener);

/* True if a draining listener still gets new connections, which another process will serve: listener_drain() has not
 * shut it, or could not keep new connections away from a stored one. */
bool listener_stays_open(const struct listener *listener);

/* Take a draining listener back into service. 0, also if nothing kept connections away; -EOPNOTSUPP: a UNIX socket that
 * was shut, or one that was replaced; -errno. */
int listener_undrain(struct listener *listener);

/* True if certainly no connection waits and no TCP handshake is under way (the kernel would still accept its final
 * ACK). This lists all half-open sockets of the system, so use it only while draining. */
bool listener_is_drained(const struct listener *listener);

/* Close the listener. If the socket is our own, close it for every process that holds it: nobody listens afterwards,
 * accept(2) fails with EINVAL in workers that still have it, and the UNIX path is unlinked if it still belongs to this
 * socket. Otherwise only our descriptor is closed. */
void listener_close(struct listener *listener);
