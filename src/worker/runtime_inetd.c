#include "worker/runtime_inetd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "lib/door.h"
#include "os/process/program.h"
#include "os/process/spawn.h"
#include "worker/explanation.h"
#include "worker/handler_environment.h"
#include "worker/handler_limits.h"
#include "worker/last_words.h"
#include "worker/room.h"
#include "lib/orders.h"

extern char **environ;

struct handler {
        char *path;
        char **arguments;
        struct handler_environment *environment;
        struct handler_limits limits;
        bool stderr_is_connection;
        bool holds;      /* the worker has the connection, too, until the handler has ended */
        int log_read_fd; /* -1: the worker has none */
};

/* The running handler, and the process group it was given; 0: none runs. Static, because a signal handler calls
 * interrupt(). */
static volatile pid_t running;

/* A handler that has left its group, or moved into another, is signalled by its pid, which is its own until we reap it:
 * leaving the group is no escape. */
static int interrupt(int signal_number)
{
        pid_t pid = running;

        if (pid <= 0)
                return 0;
        int r = kill(-pid, signal_number) < 0 ? -errno : 0;
        if (getpgid(pid) != pid)
                r = kill(pid, signal_number) < 0 ? -errno : 0;
        return r == -ESRCH ? 0 : r;
}

static void end(void *runtime)
{
        struct handler *handler = runtime;

        handler_environment_free(handler->environment);
        free(handler->arguments);
        free(handler->path);
        free(handler);
}

static int prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        const struct pool_config *pool = plan->pool;
        struct handler *handler = calloc(1, sizeof(*handler));

        if (!handler)
                return -ENOMEM;
        handler->arguments = pool_config_arguments(pool);
        handler->stderr_is_connection = pool->stderr_mode == STDERR_SOCKET;
        handler->log_read_fd = log_read_fd;
        handler->holds = pool_config_holds_connections(pool);
        handler_limits_plan(plan, &handler->limits);
        const struct words variables = secret_words_view(&pool->environment);
        int r = handler->arguments ? 0 : -ENOMEM;
        if (r == 0)
                r = handler_environment_new(&variables, pool->clear_environment ? NULL : environ,
                                            &handler->environment);
        if (r == 0) {
                const char *search_path = handler_environment_search_path(handler->environment);
                r = program_find("", pool->handler.list[0], search_path, &handler->path);
        }
        if (r == 0)
                r = room_wait();
        if (r < 0) {
                end(handler);
                return r;
        }
        *ret = handler;
        return 0;
}

/* Wait for the handler's end without reaping it. Until it is reaped no other process can get its pid, so an order that
 * arrives at any moment signals the right group. */
static void wait_for_end(const struct handler *handler, pid_t pid)
{
        siginfo_t info;

        while (!door_is_orphaned())
                if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 || errno != EINTR)
                        return;
        last_words_read(handler->log_read_fd, pid);
}

static uint64_t timeval_us(const struct timeval *time)
{
        return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

static int serve(void *runtime, int connection, const struct client *client, struct runtime_outcome *ret)
{
        struct handler *handler = runtime;
        const struct spawn_program program = {
                .path = handler->path,
                .arguments = handler->arguments,
                .environment = handler_environment_set_peer(handler->environment, client, connection),
                .limits = handler->limits.items,
                .limit_count = handler->limits.count,
                .connection = connection,
                .stderr_is_connection = handler->stderr_is_connection,
                .caught = orders_caught,
                .caught_count = orders_caught_count,
        };
        struct rusage usage = {0};
        int status = 0;

        int r = spawn_program(&program, &running); /* stores the pid before an order can arrive */
        if (r < 0)
                return r;
        if (!handler->holds)
                close(connection);
        orders_look(); /* for an order that came before there was a group */
        pid_t pid = running;
        wait_for_end(handler, pid);
        running = 0;
        while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
                ;
        *ret = (struct runtime_outcome){.status = status,
                                        .cpu_us = timeval_us(&usage.ru_utime) + timeval_us(&usage.ru_stime),
                                        .connection = handler->holds ? connection : -1,
                                        .pid = pid};
        return 0;
}

const struct runtime_ops runtime_inetd = {
        .prepare = prepare, .serve = serve, .interrupt = interrupt, .end = end, .explain = explanation_of_program};
