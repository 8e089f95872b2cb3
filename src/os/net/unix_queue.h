/* The queue of a listening UNIX socket, for which there is no socket option. Called by listener.c.
 *
 * Where sock_diag(7) is refused (a filter of system calls, a kernel without it), poll(2) tells whether a connection
 * waits, unless the listener was shut, and /proc/net/unix how many. The kernel gives a connection the address of its
 * listener, and an inode when it is accepted. So what waits for another listener of the same address, which lost its
 * file to this one, is counted as well. */
#pragma once

#include <stdint.h>

#include "base/address.h"

/* The number of connections that wait at the listener `fd`, which is bound to `address`; without /proc, 1 if any does.
 * Never blocks. 0; -EBADF, -ENOTSOCK, -EINVAL: this is no listener; -ENOENT and other errors of fopen(3): nothing is
 * known, because the listener was shut. */
int unix_queue_length(int fd, const struct address *address, uint32_t *ret);
