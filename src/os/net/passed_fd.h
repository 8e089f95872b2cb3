/* A packet with at most one descriptor beside it, over a socket of packets between processes.
 *
 * Called by the master, which passes documents on to the workers of a status pool, and by these. Neither call waits. */
#pragma once

#include <stddef.h>

/* Send; `passed` -1: no descriptor. 0 or -errno of sendmsg(2): -EAGAIN: the other side does not read; -EPIPE: it has
 * gone. */
int passed_fd_send(int fd, const void *bytes, size_t length, int passed);

/* Receive a packet of exactly that length. 0 with the descriptor, which is the caller's, or -1; -EAGAIN: there is none;
 * -EPIPE: the other side has gone; -EPROTO: the packet is another; -errno. */
int passed_fd_receive(int fd, void *bytes, size_t length, int *ret_passed);
