#include "lib/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "lib/door.h"

#define PAUSE_MS 50
#define SIGNAL_TAG UINT32_MAX /* epoll data of the signalfd; listeners carry their index */

static int add_to_epoll(int epoll_fd, int fd, uint32_t events, uint32_t tag)
{
        struct epoll_event event = {.events = events, .data.u32 = tag};

        return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_set(struct acceptor *acceptor)
{
        _cleanup_(fd_closep) int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        _cleanup_(fd_closep) int signal_fd = -1;
        sigset_t mask;
        int r = 0;

        if (epoll_fd < 0)
                return -errno;
        door_signal_set(&mask);
        signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signal_fd < 0)
                return -errno;
        r = add_to_epoll(epoll_fd, signal_fd, EPOLLIN, SIGNAL_TAG);
        for (size_t i = 0; i < acceptor->count && r == 0; i++)
                r = add_to_epoll(epoll_fd, acceptor->listeners[i], EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)i);
        if (r < 0)
                return r;
        acceptor->epoll_fd = TAKE_FD(epoll_fd);
        acceptor->signal_fd = TAKE_FD(signal_fd);
        return 0;
}

int acceptor_open(struct acceptor *acceptor, const int *listeners, size_t count, pid_t parent,
                  unsigned orphan_timeout_ms)
{
        *acceptor = (struct acceptor){.listeners = listeners, .count = count, .epoll_fd = -1, .signal_fd = -1};
        if (count > 1) {
                int r = open_set(acceptor);
                if (r < 0)
                        return r;
        }
        return door_install(count == 1 ? listeners[0] : -1, parent, orphan_timeout_ms);
}

/* Errors of accept(2) that belong to the one connection that is gone, not to the listener (see its NOTES on Linux
 * passing pending network errors). */
static bool is_passing(int error)
{
        switch (error) {
        case EINTR: case ECONNABORTED: case EPROTO: case EPERM: case ENETDOWN: case ENOPROTOOPT: case EHOSTDOWN:
        case ENONET: case EHOSTUNREACH: case EOPNOTSUPP: case ENETUNREACH: case ETIMEDOUT:
                return true;
        default:
                return false;
        }
}

/* One accept4. 0 with a connection, -EAGAIN: none there now, or as acceptor_wait(). */
static int accept_once(int listener, struct address *ret_peer, int *ret_fd)
{
        struct address peer = {0};

        peer.length = sizeof(peer.un);
        int fd = accept4(listener, &peer.any, &peer.length, SOCK_CLOEXEC);
        if (fd >= 0) {
                *ret_peer = peer;
                *ret_fd = fd;
                return 0;
        }
        if (errno == ENOTSOCK || errno == EINVAL) /* the door; a UNIX listener that was shut down and is empty */
                return -ESHUTDOWN;
        return is_passing(errno) ? -EINTR : -errno;
}

static int wait_on_one(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd)
{
        for (;;) {
                int r = accept_once(acceptor->listeners[0], ret_peer, ret_fd);
                if (r == -EAGAIN) {
                        struct pollfd poller = {.fd = acceptor->listeners[0], .events = POLLIN};
                        poll(&poller, 1, -1); /* the door makes it readable; EINTR leads to the same next step */
                } else if (r != -EINTR)
                        return r;
        }
}

/* The retire signal is read before anything is accepted, so that events that are always ready cannot starve it. */
static bool was_retired(const struct acceptor *acceptor)
{
        struct signalfd_siginfo info;

        if (read(acceptor->signal_fd, &info, sizeof(info)) == sizeof(info))
                door_close();
        return door_is_closed();
}

static int wait_on_set(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd)
{
        for (;;) {
                struct epoll_event event;

                if (was_retired(acceptor))
                        return -ESHUTDOWN;
                int ready = epoll_wait(acceptor->epoll_fd, &event, 1, -1);
                if (ready < 0 && errno != EINTR)
                        return -errno;
                if (ready < 1 || event.data.u32 == SIGNAL_TAG || was_retired(acceptor))
                        continue;
                int r = accept_once(acceptor->listeners[event.data.u32], ret_peer, ret_fd);
                if (r == -ESHUTDOWN) /* that one is drained; the others go on */
                        epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, acceptor->listeners[event.data.u32], NULL);
                else if (r != -EAGAIN && r != -EINTR)
                        return r;
        }
}

/* While it waits the retire signal is blocked and read from the signalfd; outside, the door's handler takes it. */
static int wait_on_several(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd)
{
        sigset_t retire, before;

        door_signal_set(&retire);
        sigprocmask(SIG_BLOCK, &retire, &before);
        int r = wait_on_set(acceptor, ret_peer, ret_fd);
        sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}

int acceptor_wait(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd)
{
        return acceptor->count == 1 ? wait_on_one(acceptor, ret_peer, ret_fd)
                                    : wait_on_several(acceptor, ret_peer, ret_fd);
}

void acceptor_pause(const struct acceptor *acceptor)
{
        struct pollfd poller = {.fd = acceptor->signal_fd, .events = POLLIN}; /* -1 is passed over */

        poll(&poller, 1, PAUSE_MS);
}
