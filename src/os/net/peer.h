/* Who is at the other end of a UNIX stream connection, as the kernel knows it: unix(7), SO_PEERCRED, SO_PEERGROUPS.
 *
 * The ids are those of the peer at its connect(2), and nothing the peer says enters into them. Called by master/ for
 * control clients. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct peer {
        pid_t pid;
        uid_t uid;
        gid_t gid;
        gid_t *groups; /* supplementary groups; owned */
        size_t group_count;
};

/* Accept a connection (non-blocking, close-on-exec) and ask who it is. 0 with the descriptor in *ret_fd; -EAGAIN: nobody
 * waits any more; -errno of accept4(2) or getsockopt(2), the connection is closed then. A kernel without SO_PEERGROUPS
 * gives no supplementary groups. */
int peer_accept(int listen_fd, int *ret_fd, struct peer *ret);

/* Free what it owns; zeroed ones too. Usable with _cleanup_(). */
void peer_clear(struct peer *peer);
