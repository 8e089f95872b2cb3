/* The calls that wait for several descriptors: with a listener among them and no connection open, the worker is idle.
 */
#include "preload/accounting.h"

#include <errno.h>
#include <signal.h>

#include "lib/door.h"
#include "lib/sys.h"
#include "preload/accounting_private.h"
#include "preload/listeners.h"

#define LOOKED_AT 16 /* descriptors of a poll that are examined: a listener is among the first */

/* What is to be done about a call that waits for several descriptors. */
enum wait { WAIT_PLAIN, WAIT_IDLE, WAIT_OVER };

/* Begin to wait in a call with a signal mask, `mask` or, if it is NULL, the present one. In *ret it has the retire
 * signal unblocked, so that the kernel unblocks it for the call alone: a signal that has come already ends the call. */
static enum wait begin_idle(bool has_listener, const sigset_t *mask, uint64_t *ret)
{
        if (!has_listener || accounting.connection >= 0 || sys_getpid() != accounting.pid)
                return WAIT_PLAIN;
        accounting.polls = true;
        if (!accounting_begin_wait())
                return WAIT_OVER;
        if (mask)
                __builtin_memcpy(ret, mask, sizeof(*ret));
        else
                SYS_4(__NR_rt_sigprocmask, SIG_BLOCK, NULL, ret, sizeof(*ret));
        *ret &= ~sys_signal_bit(DOOR_SIGNAL);
        return WAIT_IDLE;
}

/* True if the door was closed meanwhile. */
static bool is_over(enum wait wait)
{
        return wait == WAIT_OVER || (wait == WAIT_IDLE && door_is_closed());
}

/* With `return`, the door looks like a connection: the program calls accept, which fails. */
static bool lets_accept_fail(void)
{
        return accounting_retirement() == ATTACH_RETIRE_RETURN && accounting.refusals == 0;
}

static bool polls_listener(const struct pollfd *fds, nfds_t count)
{
        for (nfds_t i = 0; accounting.pid != 0 && i < count && i < LOOKED_AT; i++)
                if (fds[i].fd >= 0 && listeners_has(fds[i].fd))
                        return true;
        return false;
}

long accounting_poll(struct pollfd *fds, nfds_t count, struct timespec *timeout, const sigset_t *mask)
{
        uint64_t set = 0;
        enum wait wait = begin_idle(polls_listener(fds, count), mask, &set);
        const void *used = wait == WAIT_IDLE ? (const void *)&set : mask;
        long r = wait == WAIT_OVER ? -EINTR : SYS_5(__NR_ppoll, fds, count, timeout, used, sizeof(set));
        struct timespec at_once = {0};

        if (!is_over(wait))
                return r;
        if (lets_accept_fail() && wait == WAIT_IDLE)
                return SYS_5(__NR_ppoll, fds, count, &at_once, mask, sizeof(set));
        return accounting_leave();
}

static bool selects_listener(int count, const fd_set *reads)
{
        for (int fd = 0; accounting.pid != 0 && reads && fd < count; fd++)
                if (FD_ISSET(fd, reads) && listeners_has(fd))
                        return true;
        return false;
}

long accounting_select(int count, fd_set *reads, fd_set *writes, fd_set *errors, struct timespec *timeout,
                       const sigset_t *mask)
{
        uint64_t set = 0;
        enum wait wait = begin_idle(selects_listener(count, reads), mask, &set);
        const struct {
                const void *mask;
                size_t size;
        } argument = {wait == WAIT_IDLE ? (const void *)&set : mask, sizeof(set)};
        long r = wait == WAIT_OVER ? -EINTR : SYS_6(__NR_pselect6, count, reads, writes, errors, timeout, &argument);
        struct timespec at_once = {0};

        if (!is_over(wait))
                return r;
        if (!lets_accept_fail() || wait != WAIT_IDLE)
                return accounting_leave();
        /* After EINTR the sets are unchanged. */
        return r == -EINTR ? SYS_6(__NR_pselect6, count, reads, writes, errors, &at_once, 0) : r;
}

long accounting_epoll(int epoll_fd, struct epoll_event *events, int most, int timeout_ms, const sigset_t *mask)
{
        uint64_t set = 0;
        enum wait wait = begin_idle(listeners_in_set(epoll_fd), mask, &set);
        const void *used = wait == WAIT_IDLE ? (const void *)&set : mask;
        long r = wait == WAIT_OVER ? -EINTR
                                   : SYS_6(__NR_epoll_pwait, epoll_fd, events, most, timeout_ms, used, sizeof(set));

        /* The door does not show in the set, so the program is ended here whatever the pool prefers. */
        if (is_over(wait) && r <= 0)
                return accounting_leave();
        accounting.woken = wait == WAIT_IDLE && r > 0;
        return r;
}
