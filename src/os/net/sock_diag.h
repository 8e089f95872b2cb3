/* Questions to the kernel about sockets that have no socket option: sock_diag(7). The answers are made while the
 * question is being sent, so nothing here waits. Called by listener.c. */
#pragma once

#include <stdint.h>

/* A listening UNIX socket. */
struct sock_diag_unix {
        uint32_t queued;     /* connections in its accept queue */
        uint32_t backlog;    /* the most that fit there */
        uint32_t path_inode; /* the low 32 bits of the number of the file it was bound to; 0: to none */
};

/* Look at one (UDIAG_SHOW_RQLEN, UDIAG_SHOW_VFS). 0, or -errno: -ENOENT if the kernel has no answer (no
 * CONFIG_UNIX_DIAG). */
int sock_diag_unix(int fd, struct sock_diag_unix *ret);

/* How many TCP handshakes towards local `port` are under way (SYN received, final ACK not yet), any address of the
 * family. 0 or -errno. */
int sock_diag_half_open(int family, unsigned port, uint32_t *ret);
