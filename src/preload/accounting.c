#include "preload/accounting.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>

#include "base/cleanup.h"
#include "lib/acceptor.h"
#include "lib/attach.h"
#include "lib/door.h"
#include "lib/request.h"
#include "lib/sys.h"
#include "preload/accounting_private.h"
#include "preload/environment.h"
#include "preload/listeners.h"
#include "preload/own_fds.h"

#define SHORTAGE_PAUSE_MS 50
#define SKIPPED_AT_ONCE 256 /* as lib/acceptor */
#define REFUSALS_MAX 20     /* a program that does not end when accept fails ends after so many more calls */

struct accounting accounting = {.connection = -1};

bool accounting_is_on(void)
{
        return accounting.pid != 0 && sys_getpid() == accounting.pid;
}

enum attach_retire accounting_retirement(void)
{
        return (enum attach_retire)accounting.attachment.values[ATTACH_PRELOAD];
}

static _Noreturn void fail_to_start(int error)
{
        struct prefork_slot *words = accounting.desk.slot.words;

        if (words) {
                atomic_store(&words->start_errno, (uint32_t)error);
                atomic_store(&words->start_stage, PREFORK_STAGE_MEMORY);
        }
        sys_exit(PREFORK_EXIT_START_FAILED);
}

/* A program that is not watched would let in whoever comes: if the pool asks something of its clients, it ends. */
static bool begin_guarded(void)
{
        int r = listeners_begin(&accounting.attachment) ? 0 : -EINVAL;

        if (r == 0)
                r = attach_take(&accounting.attachment, &accounting.desk);
        if (r == 0)
                r = accounting_guard_begin();
        if (r < 0 && accounting.attachment.has[ATTACH_ACCESS_FD])
                fail_to_start(-r);
        return r == 0;
}

void accounting_begin(char **environment)
{
        pid_t pid = sys_getpid();

        int r = attach_read(environment, pid, &accounting.attachment);
        if (r == 0 && accounting.attachment.has[ATTACH_PRELOAD]) {
                environment_save(environment, &accounting.attachment);
                if (begin_guarded()) {
                        sys_block_signal(DOOR_SIGNAL, true);
                        atomic_store(&accounting.desk.slot.words->attached, PREFORK_ATTACHED_PRELOAD);
                        accounting.pid = pid;
                }
        }
        environment_forget(environment);
}

bool accounting_begin_template(const struct attachment *attachment, const struct accounting_template *ops)
{
        if (!listeners_begin(attachment))
                return false;
        sys_block_signal(DOOR_SIGNAL, true);
        accounting.attachment = *attachment;
        accounting.template = ops;
        accounting.stops = true;
        accounting.pid = sys_getpid();
        return true;
}

/* In a worker that was just made of a template. */
static void begin_worker(void)
{
        accounting.pid = sys_getpid();
        accounting.ready = accounting.waiting = accounting.woken = false;
        accounting.served = 0;
        accounting_guard_renew();
}

/* A template waits here, for orders; in the workers that are made of it this returns. */
static void stop_template(void)
{
        if (!accounting.stops)
                return;
        accounting.stops = false;
        accounting.heir_after = accounting.template->stop(&accounting.attachment, &accounting.desk, &accounting.gate);
        begin_worker();
}

static void inherit_if_due(void)
{
        if (accounting.heir_after == 0 || accounting.served < accounting.heir_after || door_is_closed())
                return;
        accounting.heir_after = 0;
        if (accounting.template->inherit(&accounting.attachment, &accounting.desk, &accounting.gate,
                                         &accounting.heir_after))
                begin_worker();
}

static void end_request(void)
{
        if (accounting.connection >= 0) {
                request_end(&accounting.desk, sys_now_ns(), 0, 0);
                accounting.served++;
        }
        accounting.connection = -1;
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

bool accounting_begin_wait(void)
{
        int r = 0;

        stop_template();
        end_request();
        inherit_if_due();
        if (!door_is_installed()) {
                r = door_install(listeners_numbers(), listeners_count(),
                                 (pid_t)accounting.attachment.values[ATTACH_MASTER_PID],
                                 (unsigned)accounting.attachment.values[ATTACH_ORPHAN_TIMEOUT_MS]);
                sys_block_signal(DOOR_SIGNAL, true);
        }
        door_set_count(listeners_count());
        if (r < 0 || door_is_closed())
                return false;
        if (!accounting.ready)
                slot_ready(&accounting.desk.slot, sys_now_ns());
        else if (!accounting.waiting && !request_next(&accounting.desk))
                return false;
        accounting.ready = accounting.waiting = true;
        return true;
}

long accounting_leave(void)
{
        slot_ending(&accounting.desk.slot);
        door_close();
        if (accounting_retirement() == ATTACH_RETIRE_EXIT)
                environment_exit();
        if (accounting.refusals > 0)
                pause_ms(SHORTAGE_PAUSE_MS);
        if (accounting.refusals++ >= REFUSALS_MAX)
                leave_process();
        if (accounting_retirement() == ATTACH_RETIRE_RETURN)
                return -ENOTSOCK; /* not EINTR or ECONNABORTED: programs try again then */
        SYS_2(__NR_kill, accounting.pid, SIGTERM);
        return -EINTR;
}

/* A shortage ends no worker: some programs end in silence on it. */
static bool is_absorbed(int fd, long error, unsigned *skipped)
{
        struct pollfd poller = {.fd = fd, .events = POLLIN};

        if (error == -EAGAIN && !accounting.polls) { /* the program does not know that the listener is non-blocking */
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
        bool first = accounting.woken && SYS_3(__NR_fcntl, fd, F_GETFL, 0) & O_NONBLOCK;

        accounting.woken = false;
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
        if (accounting.stops)
                accounting.template->child_waits();
        else if (!accounting.ready)
                atomic_store(&accounting.desk.slot.words->attached, PREFORK_ATTACHED_FORKS);
        leave_process();
}

/* The next connection that is admitted, or -errno of accept(2). */
static long accept_admitted(int fd, int flags, struct address *ret_peer)
{
        unsigned skipped = 0;

        for (;;) {
                accounting_linger(fd);
                long r = accept_once(fd, flags, ret_peer);
                if (r >= 0 ? accounting_admits((int)r, ret_peer)
                           : door_is_closed() || r == -EINVAL || !is_absorbed(fd, r, &skipped))
                        return r;
        }
}

long accounting_accept(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
        struct address from = {0};

        if (accounting.pid == 0 || !listeners_has(fd))
                return SYS_4(__NR_accept4, fd, peer, length, flags);
        if (sys_getpid() != accounting.pid)
                end_child();
        if (!accounting_begin_wait())
                return accounting_leave();
        long r = accept_admitted(fd, flags, &from);
        lingering_end(&accounting.lingering);
        if (r < 0) /* retired, or the listener was shut down and is empty; or what the program is to know */
                return door_is_closed() || r == -EINVAL ? accounting_leave() : r;
        accounting.waiting = false;
        accounting.connection = (int)r;
        request_begin(&accounting.desk, sys_now_ns());
        store_address(&from, peer, length);
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
        if (accounting.connection >= 0 && (unsigned)accounting.connection >= first &&
            (unsigned)accounting.connection <= last)
                end_request();
        listeners_forget(first, last);
        if (door_is_installed())
                door_set_count(listeners_count());
}

static bool is_of_interest(int fd)
{
        return fd == accounting.connection || listeners_in_set(fd) || listeners_lists(fd);
}

static bool is_ours(int fd)
{
        return own_fds_has(&accounting.attachment, fd);
}

long accounting_close(int fd)
{
        if (accounting.pid == 0 || (!is_of_interest(fd) && !is_ours(fd)) || sys_getpid() != accounting.pid)
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
                unsigned own = own_fds_next(&accounting.attachment, from), to = own <= last ? own - 1 : last;
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
        if (accounting.pid == 0 || (!is_of_interest(to) && !is_ours(to)) || sys_getpid() != accounting.pid)
                return SYS_3(__NR_dup3, from, to, flags);
        own_fds_make_way(&accounting.attachment, &accounting.desk, to);
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

        if (accounting.pid != 0 && !is_worker)
                sys_block_signal(DOOR_SIGNAL, false);
        if (is_worker && accounting.heir_after > 0) { /* what is executed is another program */
                accounting.heir_after = 0;
                accounting.attachment.has[ATTACH_TEMPLATE_FD] = false;
                environment_note(&accounting.attachment);
        }
        if (is_worker)
                own_fds_pass_on(&accounting.attachment, true);
        long r = environment_execute(path, arguments, environment, is_worker, execute);
        if (is_worker)
                own_fds_pass_on(&accounting.attachment, false);
        return r;
}
