#include "worker/runtime_template.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "lib/attach.h"
#include "lib/door.h"
#include "lib/orders.h"
#include "worker/explanation.h"
#include "worker/gate_memory.h"
#include "worker/handler_environment.h"
#include "worker/handler_limits.h"
#include "worker/in_place.h"
#include "worker/room.h"

extern char **environ;

static int prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        void *program = NULL;

        int r = in_place_prepare(plan, log_read_fd, &program);
        if (r < 0)
                return r;
        r = room_wait();
        if (r < 0)
                in_place_end(program);
        else
                *ret = program;
        return r;
}

static int attach_limits(const struct handler_limits *limits, struct words *variables)
{
        int r = 0;

        for (size_t i = 0; i < limits->count && r == 0; i++) {
                enum attach_variable soft = attach_limit(limits->items[i].resource), hard = soft + 1;
                r = in_place_attach(variables, soft, limits->items[i].value.rlim_cur);
                if (r == 0)
                        r = in_place_attach(variables, hard, limits->items[i].value.rlim_max);
        }
        return r;
}

static int add_attachment(const struct in_place_program *program, struct words *variables)
{
        const struct worker_plan *plan = program->plan;
        bool snapshot = pool_config_start_method(plan->pool) == START_SNAPSHOT;
        bool rollback = pool_config_copy(plan->pool) == COPY_ROLLBACK;
        const struct {
                enum attach_variable variable;
                uint64_t value;
        } rows[] = {
                {ATTACH_FAMILY, (uint64_t)plan->family},
                {ATTACH_COPY, rollback ? ATTACH_COPY_ROLLBACK : ATTACH_COPY_FORK},
                {ATTACH_STRICT, plan->pool->rollback_check == ROLLBACK_CHECK_STRICT},
                {ATTACH_FAST_EXIT, plan->pool->fast_exit == FAST_EXIT_PYTHON},
                {ATTACH_PATIENCE_MS, MIN_OF(plan->pool->start_timeout_ms, (uint64_t)UINT32_MAX)},
                {ATTACH_STDERR_SOCKET, plan->pool->stderr_mode == STDERR_SOCKET},
                {ATTACH_LINGERING_MS, plan->pool->lingering_close_ms},
                {ATTACH_IDLE_MS, plan->pool->idle_timeout_ms},
                {ATTACH_KILL_MS, plan->pool->kill_timeout_ms},
                {ATTACH_CONNECTION_LOG, (uint64_t)plan->pool->connection_log},
        };

        int r = in_place_attach_template(plan, IN_PLACE_FIRST_OWN_FD, snapshot ? ATTACH_STOP_TOUCH : ATTACH_STOP_MAIN,
                                         variables);
        for (size_t i = 0; i < ELEMENTS(rows) && r == 0; i++)
                r = in_place_attach(variables, rows[i].variable, rows[i].value);
        if (r == 0 && gate_memory_is_needed(plan->pool))
                r = in_place_attach(variables, ATTACH_ACCESS_FD, IN_PLACE_FIRST_OWN_FD + IN_PLACE_OWN_ACCESS);
        return r < 0 ? r : attach_limits(&program->limits, variables);
}

static int make_environment(const struct in_place_program *program, struct handler_environment **ret)
{
        const struct pool_config *pool = program->plan->pool;
        const struct words own = secret_words_view(&pool->environment);
        _cleanup_(words_clear) struct words variables = {0};
        int r = 0;

        for (size_t i = 0; i < own.count && r == 0; i++)
                r = words_add(&variables, own.list[i]);
        if (r == 0)
                r = add_attachment(program, &variables);
        if (r == 0)
                r = in_place_add_preload(program->plan, &variables);
        return r < 0 ? r : handler_environment_new(&variables, pool->clear_environment ? NULL : environ, ret);
}

static int pass_descriptors(const struct in_place_program *program, int *ret_log)
{
        const struct worker_plan *plan = program->plan;
        _cleanup_(fd_closep) int access_fd = -1;

        int r = gate_memory_open(plan->pool, &access_fd);
        if (r < 0)
                return r;
        struct passed own[] = {{plan->template_fd, IN_PLACE_FIRST_OWN_FD + IN_PLACE_OWN_TEMPLATE},
                               {plan->log_write_fd, IN_PLACE_FIRST_OWN_FD + IN_PLACE_OWN_LOG},
                               {access_fd, IN_PLACE_FIRST_OWN_FD + IN_PLACE_OWN_ACCESS}};
        size_t count = ELEMENTS(own) - (access_fd < 0 ? 1 : 0);
        return in_place_pass(plan, own, count, IN_PLACE_FIRST_OWN_FD + IN_PLACE_OWN_COUNT, ret_log);
}

/* The signals of a worker wait for it: they mean nothing else before main(). What a program does after that may need
 * them; then only the retire signal waits. An end of the master ends the program at once. */
static int set_signals(const struct worker_plan *plan)
{
        bool is_forkserver = pool_config_start_method(plan->pool) == START_FORKSERVER;
        sigset_t blocked;

        door_signal_set(&blocked);
        for (size_t i = 0; i < orders_caught_count && is_forkserver; i++)
                sigaddset(&blocked, orders_caught[i]);
        return in_place_set_signals(plan, SIGKILL, &blocked);
}

/* The limits of the pool are those of copies. That of the stack counts when a program is executed, too: the kernel
 * leaves so much room below the stack, and libc gives threads stacks of that size. */
static int set_stack_limit(const struct worker_plan *plan)
{
        const struct limit_value *limit = &plan->pool->limits[LIMIT_STACK];
        const struct rlimit value = {limit->soft, limit->hard};

        return limit->set && setrlimit(RLIMIT_STACK, &value) < 0 ? -errno : 0;
}

static int become(void *runtime, int statm_fd)
{
        (void)statm_fd; /* each worker gets its own */
        const struct in_place_program *program = runtime;
        const struct worker_plan *plan = program->plan;
        struct handler_environment *environment = NULL;
        int log_fd = -1;

        int r = make_environment(program, &environment);
        if (r == 0)
                r = pass_descriptors(program, &log_fd);
        if (r == 0)
                r = set_signals(plan);
        if (r == 0)
                r = set_stack_limit(plan);
        if (r == 0)
                r = in_place_execute(program, environment);
        in_place_failed(plan, log_fd);
        handler_environment_free(environment);
        return r;
}

const struct runtime_ops runtime_template = {
        .explain = explanation_of_program, .prepare = prepare, .become = become, .end = in_place_end};
