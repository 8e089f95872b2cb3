/* The copy: from a fork of the worker into the program, leaving nothing of ours behind. */
#include "preload/service.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/text_of.h"
#include "preload/peer_variables.h"
#include "preload/record.h"
#include "preload/service_private.h"
#include "preload/touch/touch.h"

enum { STDIN_FD, STDOUT_FD, STDERR_FD };

/* Those that matter while a copy waits: the retire signal, and SIGPIPE, which a wake-up of a master that has died
 * causes. */
static bool is_of_wait(int number)
{
        return number == DOOR_SIGNAL || number == SIGPIPE;
}

/* As clone3(2) has left it that clears handlers. */
static bool is_default(const struct sys_sigaction *action)
{
        return action->handler == SIG_DFL && action->flags == 0 && action->mask == 0;
}

/* `is_cleared`: the actions of all these signals are as by default now. */
static void restore_actions(bool of_wait, bool is_cleared)
{
        int signals[SAVED_MAX];
        size_t count = service_list_saved(signals);

        for (size_t i = 0; i < count; i++)
                if (is_of_wait(signals[i]) == of_wait && !(is_cleared && is_default(&service.program_actions[i])))
                        sys_set_action(signals[i], &service.program_actions[i]);
}

/* With several listeners each copy makes its own set, and descriptors or memory may be short. */
static int join_with_patience(void)
{
        int r = service_join();

        for (; acceptor_is_shortage(r) && !door_is_closed(); r = service_join())
                service_endure("cannot wait for connections", r);
        return acceptor_is_shortage(r) ? 0 : r; /* retired: it finds out when it waits */
}

void service_follow(void)
{
        SYS_2(__NR_setpgid, 0, 0);
        restore_actions(false, false);
        sys_set_action(SIGPIPE, &(struct sys_sigaction){.handler = SIG_IGN}); /* so that none waits for the program */
        int r = door_follow(service.pid);
        sys_set_mask(ALL_SIGNALS & ~sys_signal_bit(DOOR_SIGNAL), NULL);
        if (r == 0)
                r = join_with_patience();
        if (r < 0)
                sys_exit(r == -ESRCH ? PREFORK_EXIT_ORPHANED : PREFORK_EXIT_START_FAILED);
}

/* Put the connection on that number, for the program and what it executes. */
static void put(int connection, int number)
{
        if (connection == number)
                SYS_3(__NR_fcntl, number, F_SETFD, 0);
        else
                SYS_3(__NR_dup3, connection, number, 0);
}

static void put_connection(int connection, bool is_stderr)
{
        put(connection, STDIN_FD);
        put(connection, STDOUT_FD);
        if (is_stderr)
                put(connection, STDERR_FD);
}

/* What another process that has the same stderr may have done to it: as spawn_reset_stderr() of os/process. */
static void reset_stderr(void)
{
        const long changed = O_NONBLOCK | O_ASYNC | O_DIRECT;
        long flags = SYS_3(__NR_fcntl, STDERR_FD, F_GETFL, 0);

        if (flags >= 0 && (flags & changed))
                SYS_3(__NR_fcntl, STDERR_FD, F_SETFL, flags & ~changed);
}

static const int limited[SERVICE_LIMITS] = {RLIMIT_NOFILE, RLIMIT_AS,   RLIMIT_CORE,  RLIMIT_CPU,
                                            RLIMIT_NPROC,  RLIMIT_DATA, RLIMIT_STACK, RLIMIT_FSIZE};

void service_note_limits(void)
{
        for (size_t i = 0; i < SERVICE_LIMITS; i++)
                SYS_4(__NR_prlimit64, 0, limited[i], NULL, &service.limits[i]);
}

static bool has_limit(size_t i)
{
        enum attach_variable soft = attach_limit(limited[i]), hard = soft + 1;

        return service.attachment.has[soft] && service.attachment.has[hard];
}

static int choose_limit(size_t i)
{
        enum attach_variable soft = attach_limit(limited[i]), hard = soft + 1;
        const struct service_limit *at_start = &service.limits[i];
        struct service_limit limit = {.soft = service.attachment.values[soft], .hard = service.attachment.values[hard]};
        struct service_limit own = {0};
        int r = (int)SYS_4(__NR_prlimit64, 0, limited[i], NULL, &own);

        if (r < 0)
                return r;
        if (own.soft != at_start->soft || own.hard != at_start->hard) {
                limit.hard = MIN_OF(limit.hard, own.hard);
                limit.soft = MIN_OF(MIN_OF(limit.soft, own.soft), limit.hard);
        }
        service.copy_limits[i] = limit;
        return 0;
}

int service_choose_limits(void)
{
        for (size_t i = 0; i < SERVICE_LIMITS; i++) {
                int r = has_limit(i) ? choose_limit(i) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_limit(size_t i)
{
        int r = (int)SYS_4(__NR_prlimit64, 0, limited[i], &service.copy_limits[i], NULL);

        if (r != -EPERM)
                return r;
        r = choose_limit(i); /* somebody has lowered the worker's own by prlimit(1) since */
        return r < 0 ? r : (int)SYS_4(__NR_prlimit64, 0, limited[i], &service.copy_limits[i], NULL);
}

/* A program does not run without its limits. */
static void set_limits(void)
{
        char text[RECORD_BYTES];

        for (size_t i = 0; i < SERVICE_LIMITS; i++) {
                int r = has_limit(i) ? set_limit(i) : 0;
                if (r == 0)
                        continue;
                struct line line = record_begin(text, RECORD_ERROR);
                line_add(&line, "cannot set a limit of the handler: ");
                text_of_error(&line, -r);
                record_write(&line);
                sys_exit(PREFORK_EXIT_START_FAILED);
        }
}

static void close_own(void)
{
        if (service.acceptor.epoll_fd >= 0) { /* made by this copy, under any number */
                sys_close(service.acceptor.epoll_fd);
                sys_close(service.acceptor.signal_fd);
        }
        if (SYS_3(__NR_close_range, service.first_own_fd, ~0U, 0) >= 0)
                return;
        for (int fd = service.first_own_fd; fd <= service.first_own_fd + OWN_FDS_MAX; fd++)
                sys_close(fd); /* before Linux 5.9 */
}

void service_give_attributes(void)
{
        sys_set_death_signal(service.death_signal);
        if (service.dumpable == DUMPABLE_BY_USER && !service.shares_memory)
                SYS_5(__NR_prctl, PR_SET_DUMPABLE, DUMPABLE_BY_USER, 0, 0, 0);
        if (service.subreaper)
                SYS_5(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

char **service_enter(int connection, bool is_cleared)
{
        char **environment = service.has_peer_variables ? peer_variables_set(&service.client, connection) : NULL;
        bool is_stderr = service.attachment.values[ATTACH_STDERR_SOCKET] != 0;

        sys_set_mask(ALL_SIGNALS, NULL);
        if (service.shares_memory) {
                SYS_2(__NR_setpgid, 0, 0);
                restore_actions(false, is_cleared);
        }
        restore_actions(true, is_cleared);
        service_give_attributes();
        if (service.attachment.values[ATTACH_STOP] == ATTACH_STOP_TOUCH)
                touch_put_connection(connection);
        else
                put_connection(connection, is_stderr);
        if (connection > (is_stderr ? STDERR_FD : STDOUT_FD) && connection < service.first_own_fd)
                sys_close(connection); /* under 2, too, if the program had closed that */
        if (!is_stderr)
                reset_stderr();
        set_limits();
        close_own();
        if (!service.shares_memory) {
                sys_unmap(service.note, sizeof(*service.note));
                sys_unmap(service.desk.slot.board, sizeof(struct pool_memory));
                if (service.gate.access)
                        SYS_2(__NR_munmap, service.gate.access, service.gate_bytes);
        }
        return environment;
}
