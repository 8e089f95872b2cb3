#include "master/config/config_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/log/file.h"
#include "os/process/capability.h"
#include "os/process/file_user.h"

struct check {
        const struct config *config;
        struct problem_list *problems;
        const char *path;
};

__attribute__((format(printf, 2, 3))) static void report(const struct check *check, const char *format, ...)
{
        const struct origin *origin = &check->config->master.origins[MASTER_LOG_TARGET];
        _cleanup_(text_clear) struct text text = {0};
        va_list arguments;

        va_start(arguments, format);
        if (text_appendv(&text, format, arguments) < 0)
                check->problems->out_of_memory = true;
        va_end(arguments);
        problem_add(check->problems, origin->file, origin->line, "log_target: %s", text_string(&text));
}

/* Could the log process open it? It has our user and no capability. */
static int check_file(const struct check *check)
{
        _cleanup_(text_clear) struct text why = {0};
        struct capability_set capabilities;

        capability_put_aside(&capabilities);
        int r = log_file_try(check->path, &why);
        capability_take_back(&capabilities);
        if (r == -ENOMEM && why.length == 0)
                return r;
        if (r < 0)
                report(check, "cannot write \"%s\": %s%s", check->path, text_string(&why),
                       r == -EACCES && geteuid() == 0 ? " (the log process is root without capabilities)" : "");
        return 0;
}

/* May the user change what is at the path? If it belongs to them, they may at any time. */
static bool may_change(const struct file_user *user, const char *path, const struct stat *status)
{
        struct file_user_saved saved;

        if (status->st_uid == user->uid)
                return true;
        file_user_begin(user, &saved);
        bool may = faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
        file_user_end(&saved);
        return may;
}

/* In a sticky directory the user may add names, and remove only what belongs to them. So the last directory must not
 * be one that they may write, and the others may be such if what is next on the way is somebody else's. */
static bool is_danger(const struct file_user *user, const char *directory, const char *next)
{
        struct stat status, next_status;

        if (stat(directory, &status) < 0 || !may_change(user, directory, &status))
                return false;
        if (!next || status.st_uid == user->uid || !(status.st_mode & S_ISVTX))
                return true;
        return lstat(next, &next_status) < 0 || next_status.st_uid == user->uid;
}

/* The directories on the way to `path`, the last one first. 0, 1 if one is reported, or -ENOMEM. */
static int check_way(const struct check *check, const struct pool_config *pool, const struct file_user *user,
                     const char *path)
{
        _cleanup_(freep) char *directory = strdup(path), *next = NULL;

        if (!directory)
                return -ENOMEM;
        for (char *slash; (slash = strrchr(directory, '/'));) {
                slash[slash == directory] = '\0';
                if (is_danger(user, directory, next)) {
                        report(check,
                               "the user \"%s\" of pool %s may write the directory \"%s\", and could so decide which "
                               "file is written",
                               pool->user.name, pool->name, directory);
                        return 1;
                }
                free(next);
                next = strdup(directory);
                if (!next)
                        return -ENOMEM;
                if (slash == directory)
                        break;
        }
        return 0;
}

/* The same without links on the way; NULL: the directory cannot be found, or there is no memory. */
static char *resolve(const char *path)
{
        const char *slash = strrchr(path, '/');
        _cleanup_(freep) char *directory = strndup(path, MAX_OF((size_t)(slash - path), (size_t)1));
        _cleanup_(freep) char *real = directory ? realpath(directory, NULL) : NULL;
        char *whole = NULL;

        return real && asprintf(&whole, "%s%s", text_equal(real, "/") ? "" : real, slash) >= 0 ? whole : NULL;
}

/* What a process of the pool could do about the file. */
static int check_pool(const struct check *check, const struct pool_config *pool)
{
        const struct account_list *list = &pool->supplementary_groups;
        _cleanup_(freep) gid_t *groups = calloc(list->count + 1, sizeof(*groups));
        _cleanup_(freep) char *real = resolve(check->path);
        struct stat status;

        if (!groups)
                return -ENOMEM;
        struct file_user user = {.change = true,
                                 .uid = pool->user.id,
                                 .gid = pool->group.resolved ? pool->group.id : getegid(),
                                 .groups = groups};
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i].resolved)
                        groups[user.group_count++] = list->items[i].id;
        int r = check_way(check, pool, &user, check->path);
        if (r == 0 && real)
                r = check_way(check, pool, &user, real);
        if (r == 0 && lstat(check->path, &status) == 0 && S_ISREG(status.st_mode) &&
            may_change(&user, check->path, &status))
                report(check, "the user \"%s\" of pool %s may write \"%s\"", pool->user.name, pool->name, check->path);
        return r < 0 ? r : 0;
}

int config_log_check(const struct config *config, struct problem_list *problems)
{
        const struct log_target *target = &config->master.log_target;
        const struct check check = {.config = config, .problems = problems, .path = target->path};

        if (target->kind != LOG_TARGET_FILE)
                return 0;
        int r = check_file(&check);
        /* Root can do everything, and so can our own user with what is ours. */
        for (size_t i = 0; i < config->pool_count && r == 0; i++) {
                const struct account *user = &config->pools[i]->user;
                if (user->resolved && user->id != 0 && user->id != geteuid())
                        r = check_pool(&check, config->pools[i]);
        }
        return r;
}
