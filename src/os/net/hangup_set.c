#include "os/net/hangup_set.h"

#include <errno.h>
#include <sys/epoll.h>

int hangup_set_open(void)
{
        int set = epoll_create1(EPOLL_CLOEXEC);

        return set < 0 ? -errno : set;
}

int hangup_set_add(int set, int listener)
{
        /* EPOLLHUP is always reported; a UNIX listener that was shut for reading has only EPOLLRDHUP. */
        struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT};

        if (epoll_ctl(set, EPOLL_CTL_ADD, listener, &event) == 0)
                return 0;
        return errno != EEXIST || epoll_ctl(set, EPOLL_CTL_MOD, listener, &event) < 0 ? -errno : 0;
}

bool hangup_set_take(int set)
{
        struct epoll_event events[16];
        int taken = epoll_wait(set, events, 16, 0);

        return taken > 0;
}
