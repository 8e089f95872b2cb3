/* Descriptors that a stranger sends over a socket of ours (SCM_RIGHTS), and nobody wants.
 *
 * Nobody need receive a descriptor to be harmed by it: the kernel closes what was sent and not received in the process
 * that reads the packet or closes the socket, and the last close of a connection with SO_LINGER waits for as long as
 * its owner likes. So this is for all sockets of processes that must not wait, whose other end code of a pool may have.
 * Since Linux 6.16 such a packet can be refused when it is sent. Before, it must neither be read nor dropped: a process
 * that ends drops it, because the kernel does not wait for that one.
 *
 * Called by the master and the log process. What must stay true: before each read it is asked how much may be read; and
 * such a socket is closed by unwanted_fds_close(). */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* From now on nobody can send any to this socket, where the kernel can do that. */
void unwanted_fds_refuse(int fd);

/* How much may be read now, of `size` bytes: the next packet, or so much of a stream (the kernel joins what was sent
 * with descriptors to what was sent without). -EAGAIN: nothing is there, so nothing may be read: what comes meanwhile
 * was not looked at; -EPROTO: there are some beside it; or another -errno of recvmsg(2). */
ssize_t unwanted_fds_look(int fd, size_t size);

/* Read so much, with recv(2): its result or -errno. */
ssize_t unwanted_fds_receive(int fd, void *data, size_t size);

/* Have another process hold the socket, which ends when the returned descriptor, the caller's, has been closed. For
 * whatever may have some in its queue. -errno: there is none (a shortage). */
int unwanted_fds_hold(int fd);

/* Close it so, and forget it. In a shortage it stays open. */
void unwanted_fds_drop(int *fd);

/* Close a socket for packets, whatever has not been read, and forget it. */
void unwanted_fds_close(int *fd);
