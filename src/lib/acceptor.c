#include "lib/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/sys.h"

#define PAUSE_MS 50
/* After so many failures in a row that should concern one connection each, the cause must be another. Enough for a
 * client that breaks connections in masses; few enough not to load a processor. */
#define SKIPPED_AT_ONCE 256
#define SIGNAL_TAG UINT32_MAX /* epoll data of the signalfd; listeners carry their index */

static int add_to_epoll(int epoll_fd, int fd, uint32_t events, uint32_t tag)
{
        struct epoll_event event = {.events = events, .data.u32 = tag};

        return sys_epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int fill_set(struct acceptor *acceptor)
{
        int r = add_to_epoll(acceptor->epoll_fd, acceptor->signal_fd, EPOLLIN, SIGNAL_TAG);

        for (size_t i = 0; i < acceptor->count && r == 0; i++)
                r = add_to_epoll(acceptor->epoll_fd, acceptor->listeners[i], EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)i);
        return r;
}

static int open_set(struct acceptor *acceptor)
{
        int r = acceptor->epoll_fd = sys_epoll_create();
        if (r >= 0)
                r = acceptor->signal_fd = sys_signalfd(DOOR_SIGNAL);
        if (r >= 0)
                r = fill_set(acceptor);
        if (r >= 0) {
                acceptor->watched = acceptor->count;
                return 0;
        }
        if (acceptor->epoll_fd >= 0)
                sys_close(acceptor->epoll_fd);
        if (acceptor->signal_fd >= 0)
                sys_close(acceptor->signal_fd);
        acceptor->epoll_fd = acceptor->signal_fd = -1;
        return r;
}

int acceptor_join(struct acceptor *acceptor, const int *listeners, size_t count)
{
        *acceptor = (struct acceptor){.listeners = listeners, .count = count, .epoll_fd = -1, .signal_fd = -1};
        return count > 1 ? open_set(acceptor) : 0;
}

int acceptor_open(struct acceptor *acceptor, const int *listeners, size_t count, pid_t parent,
                  unsigned orphan_timeout_ms)
{
        int r = acceptor_join(acceptor, listeners, count);

        return r < 0 ? r : door_install(listeners, count, parent, orphan_timeout_ms);
}

/* accept(2) has failed with a passing error. -EINTR: try again at once; otherwise as acceptor_wait(). */
static int skip(struct acceptor *acceptor, int error)
{
        if (door_is_closed()) /* a filter of system calls may hide the door from accept(2) */
                return -ESHUTDOWN;
        if (error == -EINTR || ++acceptor->skipped < SKIPPED_AT_ONCE)
                return -EINTR;
        acceptor->skipped = 0;
        return error;
}

int acceptor_accept(int listener, struct address *ret_peer, int *ret_fd)
{
        struct address peer = {0};

        peer.length = sizeof(peer.un);
        int fd = sys_accept(listener, &peer.any, &peer.length);
        if (fd < 0)
                return fd;
        *ret_peer = peer;
        *ret_fd = fd;
        return 0;
}

/* Call accept4(2) once. 0 with a connection; -EAGAIN: none waits; -EINTR: try again; otherwise as acceptor_wait(). */
static int accept_once(struct acceptor *acceptor, int listener, struct address *ret_peer, int *ret_fd)
{
        int r = acceptor->take ? acceptor->take(acceptor->context, listener, ret_peer, ret_fd)
                               : acceptor_accept(listener, ret_peer, ret_fd);

        if (r == 0) {
                acceptor->skipped = 0;
                return 0;
        }
        acceptor->failed = listener;
        if ((r == -ENOTSOCK && door_is_closed()) ||
            r == -EINVAL) /* or a UNIX listener that was shut down and is empty */
                return -ESHUTDOWN;
        return acceptor_is_passing(r) ? skip(acceptor, r) : r;
}

/* Was a UNIX listener shut for reading, so that no further connection will arrive? TCP listeners and the door's
 * descriptor never have POLLRDHUP. */
static bool is_shut(int listener)
{
        struct pollfd poller = {.fd = listener, .events = POLLRDHUP};

        return sys_poll(&poller, 1, 0) == 1 && (poller.revents & POLLRDHUP);
}

/* As accept_once(), for listeners that may be non-blocking. On a non-blocking UNIX listener that was shut down and is
 * empty, accept(2) fails with EAGAIN and not EINVAL, and poll(2) always reports it as readable: waiting for it would
 * spin. The second accept takes what was queued just before the listener was shut. */
static int accept_next(struct acceptor *acceptor, int listener, struct address *ret_peer, int *ret_fd)
{
        int r = accept_once(acceptor, listener, ret_peer, ret_fd);

        if (r != -EAGAIN || !is_shut(listener))
                return r;
        r = accept_once(acceptor, listener, ret_peer, ret_fd);
        return r == -EAGAIN ? -ESHUTDOWN : r;
}

static int wait_on_one(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd)
{
        while (!door_is_closed()) { /* a call of the door may have failed: then the descriptor is still the listener */
                int r = accept_next(acceptor, acceptor->listeners[0], ret_peer, ret_fd);
                if (r == -EAGAIN) {
                        struct pollfd poller = {.fd = acceptor->listeners[0], .events = POLLIN};
                        /* The door makes it readable. */
                        if (sys_poll(&poller, 1, -1) < 0 && acceptor->returns_on_signals && !door_is_closed())
                                return -EINTR;
                } else if (r != -EINTR || acceptor->returns_on_signals)
                        return r;
        }
        return -ESHUTDOWN;
}

/* Read the retire signal before every wait, so that events that are always ready cannot hide it. */
static bool was_retired(const struct acceptor *acceptor)
{
        struct signalfd_siginfo info;

        if (sys_read(acceptor->signal_fd, &info, sizeof(info)) == sizeof(info))
                door_close();
        return door_is_closed();
}

/* The listener is drained: remove it from the set. False if it is not in the set, because the door has replaced it. */
static bool stop_watching(struct acceptor *acceptor, int listener)
{
        if (sys_epoll_ctl(acceptor->epoll_fd, EPOLL_CTL_DEL, listener, NULL) < 0)
                return false;
        acceptor->watched--;
        return true;
}

static int wait_on_set(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd)
{
        while (!was_retired(acceptor) && acceptor->watched > 0) {
                struct epoll_event event = {0};

                int ready = sys_epoll_wait(acceptor->epoll_fd, &event);
                if (ready < 0 && (ready != -EINTR || acceptor->returns_on_signals))
                        return ready;
                if (ready < 1 || event.data.u32 == SIGNAL_TAG)
                        continue;
                /* Accept even if the worker was retired in between: the kernel has woken no other worker. */
                int listener = acceptor->listeners[event.data.u32];
                int r = accept_next(acceptor, listener, ret_peer, ret_fd);
                if (r == -ESHUTDOWN && stop_watching(acceptor, listener))
                        continue;
                if (r != -EAGAIN && (r != -EINTR || acceptor->returns_on_signals))
                        return r;
        }
        return -ESHUTDOWN;
}

/* While the worker waits, the retire signal is blocked and read from the signalfd. At other times the door's signal
 * handler gets it. */
static int wait_on_several(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd)
{
        bool was_blocked = sys_block_signal(DOOR_SIGNAL, true) > 0;

        door_enter();
        int r = wait_on_set(acceptor, ret_peer, ret_fd);
        door_leave();
        if (!was_blocked)
                sys_block_signal(DOOR_SIGNAL, false);
        return r;
}

int acceptor_wait(struct acceptor *acceptor, struct address *ret_peer, int *ret_fd)
{
        return acceptor->count == 1 ? wait_on_one(acceptor, ret_peer, ret_fd)
                                    : wait_on_several(acceptor, ret_peer, ret_fd);
}

void acceptor_pause(const struct acceptor *acceptor)
{
        struct pollfd poller = {.fd = acceptor->signal_fd, .events = POLLIN}; /* poll(2) ignores -1 */

        sys_poll(&poller, 1, PAUSE_MS);
}
