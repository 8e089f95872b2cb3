/* Information about sockets that no socket option gives: sock_diag(7). The kernel answers while the request is being
 * sent, so nothing here blocks. Called by listener.c. */
#pragma once

#include <stdint.h>

/* A listening UNIX socket. */
struct sock_diag_unix {
        uint32_t queued;     /* connections in its accept queue */
        uint32_t backlog;    /* the maximum length of that queue */
        uint32_t path_inode; /* the low 32 bits of the inode of the file that it was bound to; 0: none */
};

/* Read it (UDIAG_SHOW_RQLEN, UDIAG_SHOW_VFS). 0 or -errno; -ENOENT: the kernel has no answer (no CONFIG_UNIX_DIAG). */
int sock_diag_unix(int fd, struct sock_diag_unix *ret);

/* Count the TCP handshakes to local `port`, at any address of the family, that are under way (SYN received, final ACK
 * missing). 0 or -errno. */
int sock_diag_half_open(int family, unsigned port, uint32_t *ret);
