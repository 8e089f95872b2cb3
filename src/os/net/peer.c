#include "os/net/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/* More groups than most users have; for more, retry with a larger buffer. */
#define GROUPS_AT_FIRST 64

static int read_groups(int fd, struct peer *peer)
{
        socklen_t length = GROUPS_AT_FIRST * sizeof(gid_t);

        for (;;) {
                gid_t *groups = malloc(length);
                socklen_t room = length;
                if (!groups)
                        return -ENOMEM;
                if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) == 0) {
                        peer->groups = groups;
                        peer->group_count = length / sizeof(gid_t);
                        return 0;
                }
                free(groups);
                if (errno == ENOPROTOOPT)
                        return 0;
                if (errno != ERANGE || length <= room) /* with ERANGE the kernel sets `length` to what it needs */
                        return -errno;
        }
}

int peer_accept(int listen_fd, int *ret_fd, struct peer *ret)
{
        _cleanup_(fd_closep) int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct ucred credentials;
        socklen_t length = sizeof(credentials);

        if (fd < 0)
                return -errno;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
                return -errno;
        struct peer peer = {.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
        int r = read_groups(fd, &peer);
        if (r < 0)
                return r;
        *ret = peer;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

void peer_clear(struct peer *peer)
{
        free(peer->groups);
        *peer = (struct peer){0};
}
