#include "worker/runtime_listener.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/attach.h"
#include "lib/door.h"
#include "worker/explanation.h"
#include "worker/gate_memory.h"
#include "worker/handler_environment.h"
#include "worker/handler_limits.h"
#include "worker/in_place.h"

#define LISTEN_FD 3 /* SD_LISTEN_FDS_START */

/* What a program that is no template, or the preload object in it, has of us, above the numbers of its listeners. */
enum own { OWN_BOARD, OWN_WAKE, OWN_STATM, OWN_LOG, OWN_ACCESS, OWN_COUNT };
static_assert((int)IN_PLACE_OWN_COUNT <= OWN_COUNT, "a template has fewer");

extern char **environ;

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

/* A template is of the same program, which starts in it, and stops before it would serve (lib/attach). */
static bool is_template(const struct worker_plan *plan)
{
        return plan->role == WORKER_ROLE_TEMPLATE;
}

/* The numbers above those of the listeners: what the program reports with. */
static int first_above(const struct worker_plan *plan)
{
        int above = plan->pool->listen_fd == LISTEN_FD_ZERO ? LISTEN_FD : LISTEN_FD + (int)plan->listener_count;

        return is_template(plan) ? MAX_OF(above, IN_PLACE_FIRST_OWN_FD) : above;
}

/* What preforkd sets. FastCGI's PHP must neither fork workers of its own nor end by itself, unless the pool says so. */
static int add_defaults(struct words *variables)
{
        int r = in_place_add_number(variables, "PHP_FCGI_CHILDREN", 0);

        return r < 0 ? r : in_place_add_number(variables, "PHP_FCGI_MAX_REQUESTS", 0);
}

static int add_activation(const struct worker_plan *plan, struct words *variables)
{
        if (plan->pool->listen_fd == LISTEN_FD_ZERO)
                return 0;
        int r = in_place_add_number(variables, "LISTEN_FDS", plan->listener_count);
        return r < 0 ? r : in_place_add_number(variables, "LISTEN_PID", (uint64_t)getpid());
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

/* Where the preload object finds what it needs besides. */
static int add_guard(const struct worker_plan *plan, struct words *variables)
{
        unsigned access = is_template(plan) ? (unsigned)IN_PLACE_OWN_ACCESS : (unsigned)OWN_ACCESS;
        uint64_t above = (uint64_t)first_above(plan);
        int r = in_place_attach(variables, ATTACH_CONNECTION_LOG, (uint64_t)plan->pool->connection_log);

        if (r == 0 && !is_template(plan))
                r = in_place_attach(variables, ATTACH_LOG_FD, above + OWN_LOG);
        if (r == 0 && gate_memory_is_needed(plan->pool))
                r = in_place_attach(variables, ATTACH_ACCESS_FD, above + access);
        return r;
}

/* Where the program finds its slot, see lib/attach. */
static int add_attachment(const struct worker_plan *plan, int statm_fd, struct words *variables)
{
        int r = is_template(plan) ? in_place_attach_template(plan, first_above(plan), ATTACH_STOP_WAIT, variables)
                                  : in_place_attach_slot(plan, first_above(plan), statm_fd, variables);

        if (r == 0)
                r = in_place_attach(variables, ATTACH_LISTEN_FD, (uint64_t)first_listener(plan->pool));
        if (r == 0)
                r = in_place_attach(variables, ATTACH_LISTEN_FDS, passed_listeners(plan));
        if (r < 0 || !is_preloaded(plan->pool))
                return r;
        r = in_place_attach(variables, ATTACH_PRELOAD, how_to_retire(plan->pool));
        if (r == 0)
                r = add_guard(plan, variables);
        return r < 0 ? r : in_place_add_preload(plan, variables);
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
        return r < 0 ? r : handler_environment_new(&variables, pool->clear_environment ? NULL : environ, ret);
}

static void pass(struct passed *list, size_t *count, int fd, int target)
{
        if (fd >= 0)
                list[(*count)++] = (struct passed){fd, target};
}

static size_t list_own(const struct worker_plan *plan, int statm_fd, int access_fd, struct passed *list)
{
        int above = first_above(plan);
        size_t count = 0;

        if (is_template(plan)) {
                pass(list, &count, plan->template_fd, above + IN_PLACE_OWN_TEMPLATE);
                pass(list, &count, plan->log_write_fd, above + IN_PLACE_OWN_LOG);
                pass(list, &count, access_fd, above + IN_PLACE_OWN_ACCESS);
                return count;
        }
        pass(list, &count, plan->board_fds[0], above + OWN_BOARD);
        pass(list, &count, plan->wake_fd, above + OWN_WAKE);
        pass(list, &count, statm_fd, above + OWN_STATM);
        pass(list, &count, is_preloaded(plan->pool) ? plan->log_write_fd : -1, above + OWN_LOG);
        pass(list, &count, access_fd, above + OWN_ACCESS);
        return count;
}

static size_t list_passed(const struct worker_plan *plan, int statm_fd, int access_fd, struct passed *list)
{
        size_t count = 0;

        for (size_t i = 0; i < passed_listeners(plan); i++)
                pass(list, &count, plan->listeners[i], first_listener(plan->pool) + (int)i);
        if (pool_config_is_wait(plan->pool)) /* inetd has it there, too: as its output, where a datagram is answered */
                pass(list, &count, plan->listeners[0], STDOUT_FILENO);
        return count + (reports(plan->pool) ? list_own(plan, statm_fd, access_fd, list + count) : 0);
}

static int pass_descriptors(const struct worker_plan *plan, int statm_fd, int *ret_log)
{
        _cleanup_(freep) struct passed *list = calloc(plan->listener_count + 1 + OWN_COUNT, sizeof(*list));
        int access_fd = -1; /* its number may be a listener's at the end; it closes at the exec */
        int r = list ? 0 : -ENOMEM;

        if (r == 0 && is_preloaded(plan->pool))
                r = gate_memory_open(plan->pool, &access_fd);
        if (r < 0)
                return r;
        return in_place_pass(plan, list, list_passed(plan, statm_fd, access_fd, list), first_above(plan) + OWN_COUNT,
                             ret_log);
}

/* One that never reports is retired by the end of the master. */
static int set_signals(const struct worker_plan *plan)
{
        sigset_t blocked;

        sigemptyset(&blocked);
        if (!reports(plan->pool))
                return in_place_set_signals(plan, pool_config_retire_number(plan->pool), &blocked);
        door_signal_set(&blocked);
        return in_place_set_signals(plan, is_template(plan) ? SIGKILL : SIGTERM, &blocked);
}

static int become(void *runtime, int statm_fd)
{
        const struct in_place_program *program = runtime;
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
        if (r == 0)
                r = in_place_execute(program, environment);
        in_place_failed(plan, log_fd);
        handler_environment_free(environment);
        return r;
}

const struct runtime_ops runtime_listener = {
        .explain = explanation_of_program, .prepare = in_place_prepare, .become = become, .end = in_place_end};
