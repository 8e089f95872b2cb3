/* Who is at the other end of a UNIX stream connection, as the kernel knows it: unix(7), SO_PEERCRED, SO_PEERGROUPS.
 *
 * The ids are those that the peer had at its connect(2); the peer cannot influence them otherwise. Called by
 * master/control for its clients. */
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

/* Accept a connection (non-blocking, close-on-exec) and read the credentials of its peer. 0 with the descriptor in
 * *ret_fd; -EAGAIN: no connection waits; -errno of accept4(2) or getsockopt(2): the connection is closed. Without
 * SO_PEERGROUPS in the kernel there are no supplementary groups. */
int peer_accept(int listen_fd, int *ret_fd, struct peer *ret);

/* Free what it owns; a zeroed peer is fine. Usable with _cleanup_(). */
void peer_clear(struct peer *peer);
