#include "worker/worker_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/process/credentials.h"
#include "os/process/open_fds.h"
#include "os/process/resource.h"
#include "os/process/signals.h"
#include "os/process/spawn.h"
#include "os/process/title.h"
#include "lib/orders.h"

static int close_foreign_fds(const struct worker_plan *plan, const struct worker_fds *own)
{
        size_t count = 0, most = plan->listener_count + 11;
        _cleanup_(freep) int *keep = calloc(most, sizeof(*keep));

        if (!keep)
                return -ENOMEM;
        keep[count++] = STDIN_FILENO;
        keep[count++] = STDOUT_FILENO;
        keep[count++] = STDERR_FILENO;
        keep[count++] = plan->wake_fd;
        keep[count++] = plan->log_write_fd;
        keep[count++] = plan->log_socket_fd; /* -1 keeps nothing */
        keep[count++] = plan->status_fd;
        keep[count++] = plan->template_fd;
        if (own) {
                keep[count++] = own->statm;
                keep[count++] = own->log_read;
                keep[count++] = own->board;
        }
        for (size_t i = 0; i < plan->listener_count; i++)
                keep[count++] = plan->listeners[i];
        return fds_close_all_except(keep, count);
}

static int setup_descriptors(const struct worker_plan *plan, const struct worker_fds *own)
{
        int r = close_foreign_fds(plan, own);
        if (r < 0)
                return r;
        _cleanup_(fd_closep) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                return -errno;
        if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
                return -errno;
        int error_fd = plan->pool->stderr_mode == STDERR_LOG       ? plan->log_write_fd
                       : plan->pool->stderr_mode == STDERR_INHERIT ? STDERR_FILENO
                                                                   : null_fd;
        if (error_fd != STDERR_FILENO && dup2(error_fd, STDERR_FILENO) < 0)
                return -errno;
        return spawn_reset_stderr(); /* an inherited one is shared with all workers before this */
}

/* Raise hard limits here, while the process has the privilege; the handler's process has not. All other changes of
 * limits happen in the handler's process. */
static int setup_limits(const struct worker_plan *plan)
{
        for (enum limit i = 0; i < LIMIT_COUNT; i++) {
                const struct limit_value *wanted = &plan->pool->limits[i];
                struct rlimit limit;

                if (!wanted->set)
                        continue;
                if (getrlimit((__rlimit_resource_t)limit_resource(i), &limit) < 0)
                        return -errno;
                if (wanted->hard <= limit.rlim_max)
                        continue;
                limit.rlim_max = wanted->hard;
                if (setrlimit((__rlimit_resource_t)limit_resource(i), &limit) < 0)
                        return -errno;
        }
        return 0;
}

static int setup_root(const struct worker_plan *plan)
{
        const char *root = plan->pool->root_directory;

        return root && (chroot(root) < 0 || chdir("/") < 0) ? -errno : 0;
}

static int setup_directory(const struct worker_plan *plan)
{
        umask(plan->pool->umask);
        return chdir(plan->pool->directory) < 0 ? -errno : 0;
}

static int setup_oom_score(const struct worker_plan *plan)
{
        if (plan->pool->oom_score_adj_set)
                return credentials_set_oom_score_adj((int)plan->pool->oom_score_adj);
        /* What protects the daemon (OOMScoreAdjust=) must not protect its handlers. Without /proc, or without the right
         * to lower it, it stays what it is. */
        credentials_set_oom_score_adj(0);
        return 0;
}

static int setup_nice(const struct worker_plan *plan)
{
        if (!plan->pool->nice_set)
                return 0;
        return setpriority(PRIO_PROCESS, 0, (int)plan->pool->nice) < 0 ? -errno : 0;
}

static int setup_credentials(const struct worker_plan *plan)
{
        const struct pool_config *pool = plan->pool;
        const struct account_list *list = &pool->supplementary_groups;
        _cleanup_(freep) gid_t *groups = calloc(list->count + 1, sizeof(*groups));

        if (!groups)
                return -ENOMEM;
        for (size_t i = 0; i < list->count; i++)
                groups[i] = list->items[i].id;
        const struct credentials credentials = {
                .change = pool->user.name != NULL,
                .uid = pool->user.id,
                .gid = pool->group.id,
                .groups = groups,
                .group_count = list->count,
                .no_new_privileges = pool->no_new_privileges,
        };
        return credentials_drop(&credentials);
}

/* Lead a session of its own, which has no terminal. Signals of the master's terminal (Ctrl-C) are for the master, which
 * decides about its workers; and no handler can open /dev/tty, or type into that terminal (TIOCSTI). A signal that came
 * before the session changed is still pending; SIG_IGN discards it. */
static void leave_terminal(void)
{
        static const int from_terminal[] = {SIGINT, SIGQUIT, SIGHUP, SIGTSTP};

        setsid(); /* a forked child leads no group, so this cannot fail */
        for (size_t i = 0; i < ELEMENTS(from_terminal); i++) {
                signal(from_terminal[i], SIG_IGN);
                signal(from_terminal[i], SIG_DFL);
        }
}

/* The signals that a worker handles stay blocked until it has handlers for them. Otherwise they would be lost or kill
 * it. */
static void until_handled(sigset_t *ret)
{
        sigemptyset(ret);
        for (size_t i = 0; i < orders_caught_count; i++)
                sigaddset(ret, orders_caught[i]);
}

int worker_setup(const struct worker_plan *plan, const struct worker_fds *own, struct worker_failure *ret)
{
        static const struct {
                enum prefork_stage stage;
                int (*run)(const struct worker_plan *plan);
        } steps[] = {
                {PREFORK_STAGE_OOM_SCORE, setup_oom_score}, /* needs /proc: before the root directory changes */
                {PREFORK_STAGE_NICE, setup_nice},           {PREFORK_STAGE_LIMITS, setup_limits},
                {PREFORK_STAGE_ROOT_DIRECTORY, setup_root}, {PREFORK_STAGE_CREDENTIALS, setup_credentials},
                {PREFORK_STAGE_DIRECTORY, setup_directory}, /* as the user, who may not enter every directory root can
                                                             */
        };

        sigset_t waiting;

        leave_terminal();
        until_handled(&waiting);
        signals_reset(plan->signals, &waiting);
        int r = setup_descriptors(plan, own);
        /* Not before: what a process of this title has open is its pool's. */
        process_title_set(plan->role == WORKER_ROLE_TEMPLATE ? "template %s" : "worker %s", plan->pool->name);
        if (r < 0)
                *ret = (struct worker_failure){.stage = PREFORK_STAGE_DESCRIPTORS, .error = -r};
        for (size_t i = 0; i < ELEMENTS(steps) && r == 0; i++) {
                r = steps[i].run(plan);
                if (r < 0)
                        *ret = (struct worker_failure){.stage = steps[i].stage, .error = -r};
        }
        return r;
}
