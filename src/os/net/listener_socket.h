/* A socket with the options of a listener, before it is bound. Called by listener and listener_check. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/address.h"

/* Options that a socket unit can set as well. */
enum {
        LISTENER_BACKLOG = 1 << 0,
        LISTENER_NODELAY = 1 << 1,
        LISTENER_KEEPALIVE = 1 << 2,
        LISTENER_DEFER_ACCEPT = 1 << 3,
};

struct listener_options {
        unsigned backlog;
        bool free_bind;     /* also an address that no interface has; read when the listener is opened */
        const char *device; /* only packets of this network interface; NULL: of all */
        bool ipv6_only, tcp_nodelay, tcp_keepalive, defer_accept;
        bool shares_port; /* with a listener of our own that has listener_share_port() on, and will drain */
        bool nonblocking; /* for listeners in the epoll sets of several processes; never cleared on an open listener */
        uid_t socket_uid; /* UNIX paths; (uid_t)-1: leave as created */
        gid_t socket_gid;
        mode_t socket_mode;
        unsigned defaults; /* LISTENER_… bits of unset options: an activated socket keeps those of its unit */
};

/* Make the socket for an address. A system without IPv6 gets 0.0.0.0 for a dual-stack [::], in *address as well.
 * Returns a descriptor that the caller owns, or -errno. */
int listener_socket_open(struct address *address, const struct listener_options *options);

/* Set what has to be set before bind(2). 0; of the device: -ENODEV: there is none of that name, -EPERM; other -errno.
 */
int listener_socket_prepare(int fd, const struct address *address, const struct listener_options *options);

/* Set the options of a TCP listener that can change while it is open, except those in `spared` (LISTENER_…). 0 or
 * -errno of the first that failed. */
int listener_socket_set_tcp(int fd, const struct listener_options *options, unsigned spared);
