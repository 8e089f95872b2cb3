#include "preload/accounting.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>

#include "base/cleanup.h"
#include "lib/acceptor.h"
#include "lib/attach.h"
#include "lib/door.h"
#include "lib/refusal.h"
#include "lib/request.h"
#include "lib/sys.h"
#include "preload/environment.h"
#include "preload/listeners.h"
#include "preload/own_fds.h"

#define LOOKED_AT 16 /* descriptors of a poll that are examined: a listener is among the first */
#define SHORTAGE_PAUSE_MS 50
#define SKIPPED_AT_ONCE 256 /* as lib/acceptor */
#define REFUSALS_MAX 20     /* a program that does not end when accept fails ends after so many more calls */

static struct {
        pid_t pid; /* 0: off */
        struct attachment attachment;
        struct request_desk desk;
        int connection;      /* -1: none is open */
        bool ready, waiting; /* it has been idle once; it is idle */
        bool polls, woken;   /* the program waits by poll and its kind; an epoll set has just woken it */
        unsigned refusals;
} state = {.connection = -1};

bool accounting_is_on(void)
{
        return state.pid != 0 && sys_getpid() == state.pid;
}

static enum attach_retire retirement(void)
{
        return (enum attach_retire)state.attachment.values[ATTACH_PRELOAD];
}

void accounting_begin(char **environment)
{
        pid_t pid = sys_getpid();

        int r = attach_read(environment, pid, &state.attachment);
        if (r == 0 && state.attachment.has[ATTACH_PRELOAD]) {
                environment_save(environment, &state.attachment);
                if (listeners_begin(&state.attachment) && attach_take(&state.attachment, &state.desk) == 0) {
                        sys_block_signal(DOOR_SIGNAL, true);
                        atomic_store(&state.desk.slot.words->attached, PREFORK_ATTACHED_PRELOAD);
                        state.pid = pid;
                }
        }
        environment_forget(environment);
}

static void end_request(void)
{
        if (state.connection >= 0)
                request_end(&state.desk, sys_now_ns(), 0, 0);
        state.connection = -1;
}

static void pause_ms(long ms)
{
        struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        SYS_5(__NR_ppoll, NULL, 0, &timeout, NULL, 0);
}

static _Noreturn void leave_process(void)
{
        for (;;)
                SYS_1(__NR_exit_group, 0);
}

/* Join the idle set. False: the worker must end. */
static bool begin_wait(void)
{
        int r = 0;

        end_request();
        if (!door_is_installed()) {
                r = door_install(listeners_numbers(), listeners_count(),
                                 (pid_t)state.attachment.values[ATTACH_MASTER_PID],
                                 (unsigned)state.attachment.values[ATTACH_ORPHAN_TIMEOUT_MS]);
                sys_block_signal(DOOR_SIGNAL, true);
        }
        door_set_count(listeners_count());
        if (r < 0 || door_is_closed())
                return false;
        if (!state.ready)
                slot_ready(&state.desk.slot, sys_now_ns());
        else if (!state.waiting && !request_next(&state.desk))
                return false;
        state.ready = state.waiting = true;
        return true;
}

/* The worker must end, and holds no connection: end the program in the way that the pool has chosen. If it goes on,
 * this is what its call returns. */
static long leave(void)
{
        slot_ending(&state.desk.slot);
        door_close();
        if (retirement() == ATTACH_RETIRE_EXIT)
                environment_exit();
        if (state.refusals > 0)
                pause_ms(SHORTAGE_PAUSE_MS);
        if (state.refusals++ >= REFUSALS_MAX)
                leave_process();
        if (retirement() == ATTACH_RETIRE_RETURN)
                return -ENOTSOCK; /* not EINTR or ECONNABORTED: programs try again then */
        SYS_2(__NR_kill, state.pid, SIGTERM);
        return -EINTR;
}

/* A shortage ends no worker: some programs end in silence on it. */
static bool is_absorbed(int fd, long error, unsigned *skipped)
{
        struct pollfd poller = {.fd = fd, .events = POLLIN};

        if (error == -EAGAIN && !state.polls) { /* the program does not know that the listener is non-blocking */
                sys_block_signal(DOOR_SIGNAL, false);
                long r = SYS_5(__NR_ppoll, &poller, 1, NULL, NULL, 0);
                sys_block_signal(DOOR_SIGNAL, true);
                return r != -EINTR || door_is_closed();
        }
        if (acceptor_is_shortage((int)error)) {
                pause_ms(SHORTAGE_PAUSE_MS);
                return true;
        }
        return error != -EINTR && acceptor_is_passing((int)error) && ++*skipped < SKIPPED_AT_ONCE;
}

static void store_address(const struct address *from, struct sockaddr *peer, socklen_t *length)
{
        const unsigned char *bytes = (const unsigned char *)&from->any;
        unsigned char *to = (unsigned char *)peer;

        if (!length)
                return;
        for (socklen_t i = 0; to && i < *length && i < from->length; i++)
                to[i] = bytes[i];
        *length = from->length;
}

/* Accept once, with the retire signal unblocked for the call itself. After an epoll set has woken this process it is
 * not: with EPOLLEXCLUSIVE no other was woken for the connection, so it is accepted first, if that cannot block. */
static long accept_once(int fd, int flags, struct address *ret_peer)
{
        bool first = state.woken && SYS_3(__NR_fcntl, fd, F_GETFL, 0) & O_NONBLOCK;

        state.woken = false;
        ret_peer->length = sizeof(ret_peer->un);
        if (!first)
                sys_block_signal(DOOR_SIGNAL, false);
        long r = SYS_4(__NR_accept4, fd, &ret_peer->any, &ret_peer->length, flags);
        sys_block_signal(DOOR_SIGNAL, true);
        return r;
}

/* A child of the program waits for connections: a script that forked, or a program that makes workers of its own. It is
 * nobody's worker, and ends. */
static _Noreturn void end_child(void)
{
        if (!state.ready)
                atomic_store(&state.desk.slot.words->attached, PREFORK_ATTACHED_FORKS);
        leave_process();
}

long accounting_accept(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
        struct address from = {0};
        unsigned skipped = 0;

        if (state.pid == 0 || !listeners_has(fd))
                return SYS_4(__NR_accept4, fd, peer, length, flags);
        if (sys_getpid() != state.pid)
                end_child();
        if (!begin_wait())
                return leave();
        for (;;) {
                long r = accept_once(fd, flags, &from);
                if (r >= 0 && request_admit(&state.desk, &from)) {
                        state.waiting = false;
                        state.connection = (int)r;
                        request_begin(&state.desk, sys_now_ns());
                        store_address(&from, peer, length);
                        return r;
                }
                if (r >= 0)
                        refusal_close((int)r);
                else if (door_is_closed() || r == -EINVAL) /* retired, or the listener was shut down and is empty */
                        return leave();
                else if (!is_absorbed(fd, r, &skipped))
                        return r;
        }
}

/* What is to be done about a call that waits for several descriptors. */
enum wait { WAIT_PLAIN, WAIT_IDLE, WAIT_OVER };

/* Begin to wait in a call with a signal mask, `mask` or, if it is NULL, the present one. In *ret it has the retire
 * signal unblocked, so that the kernel unblocks it for the call alone: a signal that has come already ends the call. */
static enum wait begin_idle(bool has_listener, const sigset_t *mask, uint64_t *ret)
{
        if (!has_listener || state.connection >= 0 || sys_getpid() != state.pid)
                return WAIT_PLAIN;
        state.polls = true;
        if (!begin_wait())
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
        return retirement() == ATTACH_RETIRE_RETURN && state.refusals == 0;
}

static bool polls_listener(const struct pollfd *fds, nfds_t count)
{
        for (nfds_t i = 0; state.pid != 0 && i < count && i < LOOKED_AT; i++)
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
        return leave();
}

static bool selects_listener(int count, const fd_set *reads)
{
        for (int fd = 0; state.pid != 0 && reads && fd < count; fd++)
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
                return leave();
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
                return leave();
        state.woken = wait == WAIT_IDLE && r > 0;
        return r;
}

long accounting_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
        long r = SYS_4(__NR_epoll_ctl, epoll_fd, operation, fd, event);

        if (r == 0 && operation == EPOLL_CTL_ADD && accounting_is_on() && listeners_has(fd))
                listeners_note_set(epoll_fd);
        return r;
}

/* A number that the program closes, or uses for something else. */
static void note_closed(unsigned first, unsigned last)
{
        if (state.connection >= 0 && (unsigned)state.connection >= first && (unsigned)state.connection <= last)
                end_request();
        listeners_forget(first, last);
        if (door_is_installed())
                door_set_count(listeners_count());
}

static bool is_of_interest(int fd)
{
        return fd == state.connection || listeners_in_set(fd) || listeners_lists(fd);
}

static bool is_ours(int fd)
{
        return own_fds_has(&state.attachment, fd);
}

long accounting_close(int fd)
{
        if (state.pid == 0 || (!is_of_interest(fd) && !is_ours(fd)) || sys_getpid() != state.pid)
                return SYS_1(__NR_close, fd);
        if (is_ours(fd))
                return -EBADF;
        long r = SYS_1(__NR_close, fd);
        note_closed((unsigned)fd, (unsigned)fd);
        return r;
}

long accounting_close_range(unsigned first, unsigned last, int flags)
{
        if (!accounting_is_on() || flags & CLOSE_RANGE_CLOEXEC || first > last)
                return SYS_3(__NR_close_range, first, last, flags);
        long r = 0;
        for (unsigned from = first; r == 0 && from <= last;) {
                unsigned own = own_fds_next(&state.attachment, from), to = own <= last ? own - 1 : last;
                if (own != from)
                        r = SYS_3(__NR_close_range, from, to, flags);
                if (own > last)
                        break;
                from = own + 1;
        }
        note_closed(first, last);
        return r;
}

long accounting_dup3(int from, int to, int flags)
{
        if (state.pid == 0 || (!is_of_interest(to) && !is_ours(to)) || sys_getpid() != state.pid)
                return SYS_3(__NR_dup3, from, to, flags);
        own_fds_make_way(&state.attachment, &state.desk, to);
        long r = SYS_3(__NR_dup3, from, to, flags);
        if (r >= 0)
                note_closed((unsigned)to, (unsigned)to);
        return r;
}

long accounting_dup2(int from, int to)
{
        if (from != to)
                return accounting_dup3(from, to, 0);
        long r = SYS_2(__NR_fcntl, from, F_GETFD);
        return r < 0 ? r : to;
}

void accounting_end(void)
{
        if (accounting_is_on())
                end_request();
}

long accounting_execute(const char *path, char *const *arguments, char *const *environment,
                        int (*execute)(const char *, char *const *, char *const *))
{
        bool is_worker = accounting_is_on();

        if (state.pid != 0 && !is_worker)
                sys_block_signal(DOOR_SIGNAL, false);
        if (is_worker)
                own_fds_pass_on(&state.attachment, true);
        long r = environment_execute(path, arguments, environment, is_worker, execute);
        if (is_worker)
                own_fds_pass_on(&state.attachment, false);
        return r;
}
