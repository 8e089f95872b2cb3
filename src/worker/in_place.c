#include "worker/in_place.h"

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
#include "os/process/preload_object.h"
#include "os/process/program.h"

extern char **environ;

static int find(const struct worker_plan *plan, char **ret)
{
        const struct pool_config *pool = plan->pool;
        const struct words own = secret_words_view(&pool->environment);
        struct handler_environment *environment = NULL;

        int r = handler_environment_new(&own, pool->clear_environment ? NULL : environ, &environment);
        if (r == 0)
                r = program_find("", pool->handler.list[0], handler_environment_search_path(environment), ret);
        handler_environment_free(environment);
        return r;
}

void in_place_end(void *runtime)
{
        struct in_place_program *program = runtime;

        free(program->path);
        free(program);
}

int in_place_prepare(const struct worker_plan *plan, int log_read_fd, void **ret)
{
        (void)log_read_fd;
        struct in_place_program *program = calloc(1, sizeof(*program));

        if (!program)
                return -ENOMEM;
        program->plan = plan;
        handler_limits_plan(plan, &program->limits);
        int r = find(plan, &program->path);
        if (r < 0) {
                in_place_end(program);
                return r;
        }
        *ret = program;
        return 0;
}

int in_place_execute(const struct in_place_program *program, struct handler_environment *environment)
{
        _cleanup_(freep) char **arguments = pool_config_arguments(program->plan->pool);

        if (!arguments)
                return -ENOMEM;
        execve(program->path, arguments, handler_environment_fixed(environment));
        return -errno;
}

int in_place_add_number(struct words *variables, const char *name, uint64_t value)
{
        _cleanup_(text_clear) struct text text = {0};
        int r = text_appendf(&text, "%s=%" PRIu64, name, value);

        return r < 0 ? r : words_add(variables, text_string(&text));
}

int in_place_attach(struct words *variables, enum attach_variable variable, uint64_t value)
{
        return in_place_add_number(variables, attach_variable_name(variable), value);
}

int in_place_attach_process(const struct worker_plan *plan, struct words *variables)
{
        int r = in_place_attach(variables, ATTACH_PID, (uint64_t)getpid());

        if (r == 0)
                r = in_place_attach(variables, ATTACH_MASTER_PID, (uint64_t)plan->master_pid);
        return r < 0 ? r
                     : in_place_attach(variables, ATTACH_ORPHAN_TIMEOUT_MS,
                                       MIN_OF(plan->orphan_timeout_ms, (uint64_t)UINT32_MAX));
}

int in_place_attach_slot(const struct worker_plan *plan, int above, int statm_fd, struct words *variables)
{
        const struct {
                enum attach_variable variable;
                uint64_t value;
        } rows[] = {
                {ATTACH_SLOT, plan->slot},
                {ATTACH_SCOREBOARD_FD, (uint64_t)above},
                {ATTACH_WAKE_FD, (uint64_t)above + 1},
                {ATTACH_STATM_FD, (uint64_t)above + 2},
        };
        int r = in_place_attach_process(plan, variables);

        for (size_t i = 0; i < ELEMENTS(rows) && r == 0; i++)
                if (rows[i].variable != ATTACH_STATM_FD || statm_fd >= 0)
                        r = in_place_attach(variables, rows[i].variable, rows[i].value);
        return r;
}

static int add_bind_now(const struct pool_config *pool, struct words *variables)
{
        bool has_own = !pool->clear_environment && (getenv("LD_BIND_NOW") || getenv("LD_BIND_NOT"));

        for (size_t i = 0; i < pool->environment.count; i++)
                has_own |= text_starts_with(pool->environment.list[i], "LD_BIND_NO");
        if (has_own)
                return 0;
        int r = words_add(variables, "LD_BIND_NOW=1");
        return r < 0 ? r : in_place_attach(variables, ATTACH_BIND_NOW, 1);
}

/* What the master finds another way for, if the program refuses it. */
static uint64_t automatic(const struct pool_config *pool)
{
        return (pool->start_method == START_AUTO ? ATTACH_AUTO_STOP : 0) |
               (pool->copy == COPY_AUTO ? ATTACH_AUTO_COPY : 0);
}

int in_place_attach_template(const struct worker_plan *plan, int above, enum attach_stop stop, struct words *variables)
{
        int r = in_place_attach_process(plan, variables);

        if (r == 0)
                r = in_place_attach(variables, ATTACH_STOP, stop);
        if (r == 0)
                r = in_place_attach(variables, ATTACH_TEMPLATE_FD, (uint64_t)above + IN_PLACE_OWN_TEMPLATE);
        if (r == 0)
                r = in_place_attach(variables, ATTACH_LOG_FD, (uint64_t)above + IN_PLACE_OWN_LOG);
        if (r == 0)
                r = in_place_attach(variables, ATTACH_AUTO, automatic(plan->pool));
        return r < 0 ? r : add_bind_now(plan->pool, variables);
}

/* The value of LD_PRELOAD as it would be without ours. */
static const char *find_preload(const struct pool_config *pool)
{
        static const char name[] = "LD_PRELOAD=";
        const char *found = pool->clear_environment ? NULL : getenv("LD_PRELOAD");

        for (size_t i = 0; i < pool->environment.count; i++)
                if (text_starts_with(pool->environment.list[i], name))
                        found = pool->environment.list[i] + strlen(name);
        return found;
}

int in_place_add_preload(const struct worker_plan *plan, struct words *variables)
{
        _cleanup_(text_clear) struct text text = {0};
        const char *others = find_preload(plan->pool);
        bool has_others = others && others[0] != '\0';

        int r = text_appendf(&text, "LD_PRELOAD=%s%s%s", preload_object_path(), has_others ? ":" : "",
                             has_others ? others : "");
        return r < 0 ? r : words_add(variables, text_string(&text));
}

/* A number may be taken by another of them, so all move out of the way first. */
int in_place_pass(const struct worker_plan *plan, struct passed *list, size_t count, int beyond, int *ret_log)
{
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

void in_place_failed(const struct worker_plan *plan, int log_fd)
{
        if (log_fd >= 0)
                dup3(log_fd, plan->log_write_fd, O_CLOEXEC);
}

int in_place_set_signals(const struct worker_plan *plan, int number, const sigset_t *blocked)
{
        if (prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) < 0)
                return -errno;
        if (getppid() != plan->master_pid)
                return -ESRCH;
        if (number != SIGKILL)
                signal(number, SIG_DFL);
        return sigprocmask(SIG_SETMASK, blocked, NULL) < 0 ? -errno : 0;
}
