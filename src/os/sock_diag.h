/* Questions to the kernel about sockets that have no socket option: sock_diag(7). The answers are made while the
 * question is being sent, so nothing here waits. Called by listener.c. */
#pragma once

#include <stdint.h>

/* Length of the accept queue of a listening UNIX socket (UDIAG_SHOW_RQLEN). 0, or -errno: -ENOENT if the kernel has no
 * answer (no CONFIG_UNIX_DIAG). */
int sock_diag_unix_queue(int fd, uint32_t *ret);

/* How many TCP handshakes towards local `port` are under way (SYN received, final ACK not yet), any address of the
 * family. 0 or -errno. */
int sock_diag_half_open(int family, unsigned port, uint32_t *ret);
