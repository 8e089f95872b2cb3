#include "worker/own_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"

int own_fds_settle(int *fd)
{
        if (*fd < 0)
                return 0;
        int lowest = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (lowest < 0)
                return -errno;
        close(lowest < *fd ? *fd : lowest);
        *fd = MIN_OF(*fd, lowest);
        return 0;
}

void own_fds_add(struct own_fds *own, int fd)
{
        if (fd >= 0 && fd < OWN_FDS_MAX)
                own->bits[fd / 64] |= UINT64_C(1) << (fd % 64);
}

void own_fds_join(struct own_fds *own, const struct own_fds *other)
{
        for (size_t i = 0; i < ELEMENTS(own->bits); i++)
                own->bits[i] |= other->bits[i];
}

int own_fds_step_aside(const struct own_fds *own, int fd)
{
        int above = OWN_FDS_MAX;

        while (above > 0 && !own_fds_has(own, above - 1))
                above--;
        int moved = fcntl(fd, F_DUPFD_CLOEXEC, above);
        if (moved < 0)
                return fd;
        close(fd);
        return moved;
}
