#include "worker/runtime_listener.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lib/attach.h"
#include "lib/door.h"
#include "os/process/preload_object.h"
#include "os/process/program.h"
#include "worker/explanation.h"
#include "worker/handler_environment.h"
#include "worker/handler_limits.h"

#define LISTEN_FD 3 /* SD_LISTEN_FDS_START */

extern char **environ;

struct program {
        const struct worker_plan *plan;
        char *path;
        struct handler_limits limits;
};

/* A descriptor of the worker, and the number that the program finds it under. */
struct passed {
        int fd, target;
};

static void end(void *runtime)
{
        struct program *program = runtime;

        free(program->path);
        free(program);
}

static int prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        const struct pool_config *pool = plan->pool;
        struct handler_environment *environment = NULL;
        struct program *program = calloc(1, sizeof(*program));

        (void)log_read_fd; /* the program reads nothing of its master's */
        if (!program)
                return -ENOMEM;
        program->plan = plan;
        const struct words own = secret_words_view(&pool->environment);
        handler_limits_plan(plan, &program->limits);
        int r = handler_environment_new(&own, pool->clear_environment ? NULL : environ, &environment);
        if (r == 0)
                r = program_find("", pool->handler.list[0], handler_environment_search_path(environment),
                                 &program->path);
        handler_environment_free(environment);
        if (r < 0) {
                end(program);
                return r;
        }
        *ret = program;
        return 0;
}

/* The number of the first listener. */
static int first_listener(const struct pool_config *pool)
{
        return pool->listen_fd == LISTEN_FD_ZERO ? STDIN_FILENO : LISTEN_FD;
}

/* How many listeners the program gets. Descriptor 0 is one: of a pool's closing listeners, which may be more, a helper
 * serves the first until that is closed. */
static size_t passed_listeners(const struct worker_plan *plan)
{
        return plan->pool->listen_fd == LISTEN_FD_ZERO ? 1 : plan->listener_count;
}

/* The numbers above those of the listeners: what the program reports with. */
static int first_above(const struct worker_plan *plan)
{
        return plan->pool->listen_fd == LISTEN_FD_ZERO ? LISTEN_FD : LISTEN_FD + (int)plan->listener_count;
}

static int add_number(struct words *variables, const char *name, uint64_t value)
{
        _cleanup_(text_clear) struct text text = {0};
        int r = text_appendf(&text, "%s=%" PRIu64, name, value);

        return r < 0 ? r : words_add(variables, text_string(&text));
}

/* What preforkd sets. FastCGI's PHP must neither fork workers of its own nor end by itself, unless the pool says so. */
static int add_defaults(struct words *variables)
{
        int r = add_number(variables, "PHP_FCGI_CHILDREN", 0);

        return r < 0 ? r : add_number(variables, "PHP_FCGI_MAX_REQUESTS", 0);
}

static int add_activation(const struct worker_plan *plan, struct words *variables)
{
        if (plan->pool->listen_fd == LISTEN_FD_ZERO)
                return 0;
        int r = add_number(variables, "LISTEN_FDS", plan->listener_count);
        return r < 0 ? r : add_number(variables, "LISTEN_PID", (uint64_t)getpid());
}

static bool reports(const struct pool_config *pool)
{
        return pool->accounting != ACCOUNTING_NONE;
}

static bool is_preloaded(const struct pool_config *pool)
{
        return pool->accounting == ACCOUNTING_PRELOAD;
}

static enum attach_retire how_to_retire(const struct pool_config *pool)
{
        static const enum attach_retire ways[] = {
                [RETIRE_TERM] = ATTACH_RETIRE_TERM,
                [RETIRE_RETURN] = ATTACH_RETIRE_RETURN,
                [RETIRE_EXIT] = ATTACH_RETIRE_EXIT,
        };

        return ways[pool_config_retire_signal(pool)];
}

/* The preload object comes first; what the pool or preforkd's own environment preloads stays. */
static int add_preload(const struct worker_plan *plan, const char *others, struct words *variables)
{
        _cleanup_(text_clear) struct text text = {0};
        bool has_others = others && others[0] != '\0';

        if (!is_preloaded(plan->pool))
                return 0;
        int r = text_appendf(&text, "LD_PRELOAD=%s%s%s", preload_object_path(), has_others ? ":" : "",
                             has_others ? others : "");
        return r < 0 ? r : words_add(variables, text_string(&text));
}

/* The value of a variable as it would be without ours. */
static const char *find_preload(const struct pool_config *pool)
{
        static const char name[] = "LD_PRELOAD=";
        const char *found = pool->clear_environment ? NULL : getenv("LD_PRELOAD");

        for (size_t i = 0; i < pool->environment.count; i++)
                if (text_starts_with(pool->environment.list[i], name))
                        found = pool->environment.list[i] + strlen(name);
        return found;
}

/* Where the program finds its slot, see lib/attach. */
static int add_attachment(const struct worker_plan *plan, int statm_fd, struct words *variables)
{
        int above = first_above(plan), r = 0;
        const uint64_t values[ATTACH_COUNT] = {
                [ATTACH_PID] = (uint64_t)getpid(),
                [ATTACH_MASTER_PID] = (uint64_t)plan->master_pid,
                [ATTACH_SLOT] = plan->slot,
                [ATTACH_SCOREBOARD_FD] = (uint64_t)above,
                [ATTACH_WAKE_FD] = (uint64_t)above + 1,
                [ATTACH_LISTEN_FD] = (uint64_t)first_listener(plan->pool),
                [ATTACH_LISTEN_FDS] = passed_listeners(plan),
                [ATTACH_ORPHAN_TIMEOUT_MS] = MIN_OF(plan->orphan_timeout_ms, (uint64_t)UINT32_MAX),
                [ATTACH_STATM_FD] = (uint64_t)above + 2,
                [ATTACH_PRELOAD] = how_to_retire(plan->pool),
        };

        for (enum attach_variable i = 0; i < ATTACH_COUNT && r == 0; i++)
                if ((i != ATTACH_STATM_FD || statm_fd >= 0) && (i != ATTACH_PRELOAD || is_preloaded(plan->pool)))
                        r = add_number(variables, attach_variable_name(i), values[i]);
        return r;
}

/* Of one name the last counts: a pool may change what is set before its own variables, and nothing else. */
static int make_environment(const struct worker_plan *plan, int statm_fd, struct handler_environment **ret)
{
        const struct pool_config *pool = plan->pool;
        const struct words own = secret_words_view(&pool->environment);
        _cleanup_(words_clear) struct words variables = {0};

        int r = add_defaults(&variables);
        for (size_t i = 0; i < own.count && r == 0; i++)
                r = words_add(&variables, own.list[i]);
        if (r == 0)
                r = add_activation(plan, &variables);
        if (r == 0 && reports(pool))
                r = add_attachment(plan, statm_fd, &variables);
        if (r == 0)
                r = add_preload(plan, find_preload(pool), &variables);
        return r < 0 ? r : handler_environment_new(&variables, pool->clear_environment ? NULL : environ, ret);
}

static size_t list_passed(const struct worker_plan *plan, int statm_fd, struct passed *list)
{
        int above = first_above(plan);
        size_t count = 0;

        for (size_t i = 0; i < passed_listeners(plan); i++)
                list[count++] = (struct passed){plan->listeners[i], first_listener(plan->pool) + (int)i};
        if (pool_config_is_wait(plan->pool)) /* inetd has it there, too: as its output, where a datagram is answered */
                list[count++] = (struct passed){plan->listeners[0], STDOUT_FILENO};
        if (!reports(plan->pool))
                return count;
        list[count++] = (struct passed){plan->board_fds[0], above};
        list[count++] = (struct passed){plan->wake_fd, above + 1};
        if (statm_fd >= 0)
                list[count++] = (struct passed){statm_fd, above + 2};
        return count;
}

/* Give each descriptor its number. A number may be taken by another of them, so all move out of the way first. Where
 * the log is, which closes at the exec, it stays, or comes back if the exec fails. */
static int pass_descriptors(const struct worker_plan *plan, int statm_fd, int *ret_log)
{
        _cleanup_(freep) struct passed *list = calloc(plan->listener_count + 3, sizeof(*list));
        int beyond = first_above(plan) + 3;

        if (!list)
                return -ENOMEM;
        size_t count = list_passed(plan, statm_fd, list);
        *ret_log = fcntl(plan->log_write_fd, F_DUPFD_CLOEXEC, beyond);
        if (*ret_log < 0)
                return -errno;
        for (size_t i = 0; i < count; i++) {
                list[i].fd = fcntl(list[i].fd, F_DUPFD_CLOEXEC, beyond);
                if (list[i].fd < 0)
                        return -errno;
        }
        for (size_t i = 0; i < count; i++)
                if (dup2(list[i].fd, list[i].target) < 0)
                        return -errno;
        return 0;
}

/* Until the program reports, an end of the master ends it: it has no connection yet. The retire signal is kept for it
 * until then. One that never reports is retired by the end of the master. What has come already, and was blocked, ends
 * this process instead: the handler that it has from the master would swallow it. */
static int set_signals(const struct worker_plan *plan)
{
        int number = reports(plan->pool) ? SIGTERM : pool_config_retire_number(plan->pool);
        sigset_t blocked;

        if (prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) < 0)
                return -errno;
        if (getppid() != plan->master_pid)
                return -ESRCH;
        signal(number, SIG_DFL);
        sigemptyset(&blocked);
        if (reports(plan->pool))
                door_signal_set(&blocked);
        return sigprocmask(SIG_SETMASK, &blocked, NULL) < 0 ? -errno : 0;
}

static int become(void *runtime, int statm_fd)
{
        const struct program *program = runtime;
        const struct worker_plan *plan = program->plan;
        struct handler_environment *environment = NULL;
        int log_fd = -1;

        int r = make_environment(plan, statm_fd, &environment);
        if (r == 0)
                r = pass_descriptors(plan, statm_fd, &log_fd);
        if (r == 0)
                r = handler_limits_apply(&program->limits);
        if (r == 0)
                r = set_signals(plan);
        if (r == 0) {
                execve(program->path, plan->pool->handler.list, handler_environment_fixed(environment));
                r = -errno;
        }
        if (log_fd >= 0)
                dup3(log_fd, plan->log_write_fd, O_CLOEXEC);
        handler_environment_free(environment);
        return r;
}

const struct runtime_ops runtime_listener = {
        .explain = explanation_of_program, .prepare = prepare, .become = become, .end = end};
