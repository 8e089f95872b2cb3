#include "worker/handler.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lib/door.h"
#include "os/process/program.h"
#include "os/process/resource.h"
#include "os/process/spawn.h"
#include "worker/handler_environment.h"

#define ORPHAN_POLL_MS 50

extern char **environ;

struct handler {
        char *path;
        char *const *arguments;
        struct handler_environment *environment;
        struct spawn_limit limits[LIMIT_COUNT];
        size_t limit_count;
        bool stderr_is_connection;
        int log_read_fd;
};

/* What the signal handlers need. `group` is the running handler's process group, 0 when there is none. */
static struct {
        volatile pid_t group;
        const struct slot *slot;
} running;

static void on_order(int signal_number)
{
        int saved_errno = errno;
        const struct scoreboard_slot *words = running.slot->words;
        uint32_t order = atomic_load(&words->order);
        pid_t group = running.group;
        bool is_current = atomic_load(&words->order_request) == atomic_load(&words->requests_begun);

        (void)signal_number;
        if (group > 0 && order == SCOREBOARD_ORDER_TERM && is_current)
                kill(-group, SIGTERM);
        if (group > 0 && ((order == SCOREBOARD_ORDER_KILL && is_current) || order == SCOREBOARD_ORDER_DIE))
                kill(-group, SIGKILL);
        if (order == SCOREBOARD_ORDER_DIE)
                _exit(WORKER_EXIT_ORDERED);
        errno = saved_errno;
}

/* The master died, and the time it grants to requests in flight is over. */
static void on_orphan_alarm(int signal_number)
{
        (void)signal_number;
        if (running.group > 0)
                kill(-running.group, SIGKILL);
        _exit(WORKER_EXIT_ORPHANED);
}

/* Somebody asks this one worker to end, not the master: as if it were retired. */
static void on_term(int signal_number)
{
        (void)signal_number;
        kill(getpid(), DOOR_SIGNAL);
}

static const struct {
        int number;
        void (*handler)(int);
} signals[] = {{SIGUSR1, on_order}, {SIGALRM, on_orphan_alarm}, {SIGTERM, on_term}};

static const int caught[] = {SIGUSR1, SIGALRM, SIGTERM, DOOR_SIGNAL};
static_assert(ELEMENTS(caught) == ELEMENTS(signals) + 1, "every signal that has a handler, here or in lib/door");

/* SIGTERM has been blocked until now. */
static int install_signal_handlers(void)
{
        sigset_t term;

        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                const struct sigaction action = {.sa_handler = signals[i].handler, .sa_flags = SA_RESTART};
                if (sigaction(signals[i].number, &action, NULL) < 0)
                        return -errno;
        }
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        return sigprocmask(SIG_UNBLOCK, &term, NULL) < 0 ? -errno : 0;
}

static void add_limit(struct handler *handler, int resource, struct rlimit value)
{
        handler->limits[handler->limit_count++] = (struct spawn_limit){.resource = resource, .value = value};
}

/* The configured limits, and the number of open files that preforkd was started with: the master raised its own, and a
 * program that uses select(2) needs the small one. */
static void plan_limits(struct handler *handler, const struct worker_plan *plan)
{
        for (enum limit i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_value *limit = &plan->pool->limits[i];
                if (limit->set)
                        add_limit(handler, limit_resource(i), (struct rlimit){limit->soft, limit->hard});
                else if (i == LIMIT_NOFILE)
                        add_limit(handler, RLIMIT_NOFILE, plan->original->of[RESOURCE_NOFILE]);
        }
}

int handler_new(const struct worker_plan *plan, const struct slot *slot, struct handler **ret)
{
        const struct pool_config *pool = plan->pool;
        struct handler *handler = calloc(1, sizeof(*handler));

        if (!handler)
                return -ENOMEM;
        handler->arguments = pool->handler.list;
        handler->stderr_is_connection = pool->stderr_mode == STDERR_SOCKET;
        handler->log_read_fd = plan->log_read_fd;
        plan_limits(handler, plan);
        int r = handler_environment_new(&pool->environment, pool->clear_environment ? NULL : environ,
                                        &handler->environment);
        if (r == 0) {
                const char *search_path = handler_environment_get(handler->environment, "PATH");
                r = program_find("", pool->handler.list[0], search_path ? search_path : PROGRAM_DEFAULT_PATH, &handler->path);
        }
        running.slot = slot;
        if (r == 0)
                r = install_signal_handlers();
        if (r < 0) {
                handler_free(handler);
                return r;
        }
        *ret = handler;
        return 0;
}

/* The master, which read the handlers' stderr, is dead: read it in its place, so that the handler is neither killed by
 * SIGPIPE nor stopped by a full pipe. Returns when the handler has ended. */
static void drain_log_until_end(const struct handler *handler, pid_t pid)
{
        char buffer[4096];
        siginfo_t info = {0};

        while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) < 0 ? errno == EINTR : info.si_pid == 0) {
                struct pollfd poller = {.fd = handler->log_read_fd, .events = POLLIN};
                if (poll(&poller, 1, ORPHAN_POLL_MS) == 1 && read(poller.fd, buffer, sizeof(buffer)) < 0)
                        continue;
        }
}

/* Wait for the handler's end without reaping it: while it is not reaped its group's number is its own, so an order that
 * comes at any moment hits nobody else. */
static void wait_for_end(const struct handler *handler, pid_t pid)
{
        siginfo_t info;

        while (!door_is_orphaned())
                if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 || errno != EINTR)
                        return;
        drain_log_until_end(handler, pid);
}

static uint64_t timeval_us(const struct timeval *time)
{
        return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

int handler_serve(struct handler *handler, int connection, const struct address *peer, struct handler_outcome *ret)
{
        const struct spawn_program program = {
                .path = handler->path,
                .arguments = handler->arguments,
                .environment = handler_environment_set_peer(handler->environment, peer, connection),
                .limits = handler->limits,
                .limit_count = handler->limit_count,
                .connection = connection,
                .stderr_is_connection = handler->stderr_is_connection,
                .caught = caught,
                .caught_count = ELEMENTS(caught),
        };
        struct rusage usage = {0};
        int status = 0;

        int r = spawn_program(&program, &running.group); /* stored there before an order can come in */
        close(connection);
        if (r < 0)
                return r;
        on_order(SIGUSR1); /* one that came while there was no group yet */
        pid_t pid = running.group;
        wait_for_end(handler, pid);
        running.group = 0;
        while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
                ;
        *ret = (struct handler_outcome){.status = status,
                                        .cpu_us = timeval_us(&usage.ru_utime) + timeval_us(&usage.ru_stime)};
        return 0;
}

void handler_free(struct handler *handler)
{
        if (!handler)
                return;
        handler_environment_free(handler->environment);
        free(handler->path);
        free(handler);
}
