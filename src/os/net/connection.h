/* Connections: made, and what can be asked of a connected socket. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct address;

/* Connect to `target`, and wait for it for `timeout_s` at most. After a signal `give_up(context)` decides whether to go
 * on. 0 with an O_CLOEXEC descriptor that blocks; -ETIMEDOUT; -EINTR: given up; -errno of socket(2) and connect(2). */
int connection_open(const struct address *target, unsigned timeout_s, bool (*give_up)(const void *context),
                    const void *context, int *ret_fd);

/* Which connection a descriptor is, so that it can be told later whether its number is another file's by then. */
struct connection_id {
        const struct address *peer; /* as accept(2) gave it; not owned */
        uint64_t cookie;            /* of a socket whose peer has no address of its own; 0: not needed, or not known */
};

/* The identity of the connection `fd`, whose peer is `peer`. For TCP it costs no system call. */
struct connection_id connection_identify(int fd, const struct address *peer);

/* True if the descriptor is that connection, whatever has become of its peer. Async-signal-safe. */
bool connection_is(int fd, const struct connection_id *id);

/* Pass small segments on at once (TCP_NODELAY). Of a UNIX socket: as it is. */
void connection_set_nodelay(int fd);

/* When it is closed, have the peer see that it was broken off (RST), which cannot be taken for an orderly end. */
void connection_set_reset(int fd);
