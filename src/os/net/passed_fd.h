/* A packet with descriptors beside it, over a socket of packets between processes.
 *
 * Called by the master, which passes on documents to the workers of a status pool, sockets of workers to the log
 * process, and what a worker needs to its template; and by those who get one descriptor. No call waits. */
#pragma once

#include <stddef.h>

/* The most that the kernel passes on at a time (SCM_MAX_FD). */
#define PASSED_FDS_MAX 253

/* Send. 0 or -errno of sendmsg(2): -EAGAIN: the other side does not read; -EPIPE: it has gone; -E2BIG: they are too
 * many. */
int passed_fds_send(int fd, const void *bytes, size_t length, const int *passed, size_t count);

/* The same with one descriptor; -1: with none. */
int passed_fd_send(int fd, const void *bytes, size_t length, int passed);

/* Receive a packet of exactly that length. 0 with the descriptor, which is the caller's, or -1; -EAGAIN: there is none;
 * -EPIPE: the other side has gone; -EPROTO: the packet is another; -errno. */
int passed_fd_receive(int fd, void *bytes, size_t length, int *ret_passed);
