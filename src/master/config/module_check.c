#include "master/config/module_check.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "logic/config/datagram_rules.h"
#include "os/process/credentials.h"
#include "os/process/module_file.h"
#include "os/process/status_object.h"
#include "os/process/trial.h"

/* Shorter than what reading a configuration may take in all (config_child), so that the problem names the module. */
#define TIMEOUT_MS 4000

struct trial_plan {
        const struct pool_config *pool;
        const struct file_user *user;
};

/* As a worker does it, see worker_setup; what is missing there is reported elsewhere in config_host. */
static int load(const void *context, struct text *why)
{
        const struct trial_plan *plan = context;
        const struct pool_config *pool = plan->pool;
        const struct credentials credentials = {
                .change = plan->user->change,
                .uid = plan->user->uid,
                .gid = plan->user->gid,
                .groups = plan->user->groups,
                .group_count = plan->user->group_count,
                .no_new_privileges = pool->no_new_privileges,
        };
        const struct prefork_module *module;
        const struct status_object *object;

        int r = pool->root_directory && (chroot(pool->root_directory) < 0 || chdir("/") < 0) ? -errno : 0;
        if (r == 0)
                r = credentials_drop(&credentials);
        if (r < 0)
                return text_appendf(why, "%s", strerror(-r)) < 0 ? -ENOMEM : r;
        trial_end_with_parent();
        umask(pool->umask);
        r = chdir(pool->directory); /* one that cannot be entered is a problem of its own */
        (void)r;
        if (pool_config_is_status(pool))
                return status_object_load(status_object_path(), &object, why);
        r = module_file_load(pool->handler.list[0], &module, why);
        if (r == 0 && datagram_rules_apply(pool))
                r = module_file_check_datagrams(module, why);
        return r < 0 ? r : module_file_check_threads(module, pool->threads_per_worker, why);
}

int module_check(const struct pool_config *pool, const struct file_user *user, struct text *why)
{
        const struct trial_plan plan = {.pool = pool, .user = user};

        return trial_run(load, &plan, TIMEOUT_MS, why);
}
