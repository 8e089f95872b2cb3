/* Descriptors that a stranger sends over a socket of ours (SCM_RIGHTS), and nobody wants.
 *
 * Nobody need receive a descriptor to be harmed by it: the kernel closes what was sent and not received in the process
 * that reads the packet or closes the socket, and the last close of a connection with SO_LINGER waits for as long as
 * its owner likes. So this is for all sockets of processes that must not wait, whose other end code of a pool may have.
 * Since Linux 6.16 such a packet can be refused when it is sent. Before, it must neither be read nor dropped: a process
 * that ends drops it, because the kernel does not wait for that one.
 *
 * Called by the master and the log process. What must stay true: before each packet is read, it is asked whether it has
 * any; and such a socket is closed by unwanted_fds_close(). */
#pragma once

#include <stdbool.h>

/* From now on nobody can send any to this socket, where the kernel can do that. */
void unwanted_fds_refuse(int fd);

/* Does the packet that would be read next have any? Then it must not be read. False as well if there is no packet. */
bool unwanted_fds_are_next(int fd);

/* Have another process hold the socket, which ends when the returned descriptor, the caller's, has been closed. For
 * whatever may have some in its queue. -errno: there is none (a shortage). */
int unwanted_fds_hold(int fd);

/* Close it so, and forget it. In a shortage it stays open. */
void unwanted_fds_drop(int *fd);

/* Close a socket for packets, whatever has not been read, and forget it. */
void unwanted_fds_close(int *fd);
