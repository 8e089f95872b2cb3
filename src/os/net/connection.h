/* Connections: made, and what can be asked of a connected socket. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct address;

/* Connect to `target`, and wait for it for `timeout_s` at most. After a signal `give_up(context)` decides whether to go
 * on. 0 with an O_CLOEXEC descriptor that blocks; -ETIMEDOUT; -EINTR: given up; -errno of socket(2) and connect(2). */
int connection_open(const struct address *target, unsigned timeout_s, bool (*give_up)(const void *context),
                    const void *context, int *ret_fd);

/* A number that no other socket of this machine has had since it was booted. 0: the descriptor is no socket, or the
 * kernel gives no such numbers. Async-signal-safe. */
uint64_t connection_cookie(int fd);

/* Pass small segments on at once (TCP_NODELAY). Of a UNIX socket: as it is. */
void connection_set_nodelay(int fd);

/* When it is closed, have the peer see that it was broken off (RST), which cannot be taken for an orderly end. */
void connection_set_reset(int fd);
