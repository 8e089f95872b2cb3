#include "master/config/config_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/config/schema.h"
#include "master/config/config_accounts.h"
#include "master/config/config_files.h"
#include "os/process/program.h"

/* Report a directory that workers could not change to. Whether the pool's user may enter it shows when they start. */
static void check_directory(const struct pool_config *pool, enum pool_option option, const char *root, const char *path,
                            struct problem_list *problems)
{
        const struct origin *origin = &pool->origins[option];
        _cleanup_(freep) char *whole = NULL;
        struct stat status;

        if (!path || asprintf(&whole, "%s%s", root ? root : "", path) < 0)
                return;
        int error = stat(whole, &status) < 0 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
        /* If we may not look at it, the worker's user still may: leave it to the worker. */
        if (error != 0 && error != EACCES)
                problem_add(problems, origin->file, origin->line, "%s: cannot use \"%s\": %s",
                            pool_options[option].name, whole, strerror(error));
}

static void check_directories(const struct pool_config *pool, struct problem_list *problems)
{
        check_directory(pool, POOL_ROOT_DIRECTORY, NULL, pool->root_directory, problems);
        check_directory(pool, POOL_DIRECTORY, pool->root_directory, pool->directory, problems);
}

static void check_handler(const struct pool_config *pool, struct problem_list *problems)
{
        const struct origin *origin = &pool->origins[POOL_HANDLER];
        const char *search_path = pool->clear_environment ? NULL : getenv("PATH");

        if (pool->handler.count == 0)
                return;
        if (!search_path)
                search_path = PROGRAM_DEFAULT_PATH;
        for (size_t i = 0; i < pool->environment.count; i++)
                if (text_starts_with(pool->environment.list[i], "PATH="))
                        search_path = pool->environment.list[i] + strlen("PATH=");
        _cleanup_(freep) char *path = NULL;
        int r = program_find(pool->root_directory ? pool->root_directory : "", pool->handler.list[0], search_path,
                             &path);
        if (r < 0)
                problem_add(problems, origin->file, origin->line, "handler: cannot execute \"%s\": %s",
                            pool->handler.list[0], strerror(-r));
}

/* Report words that are too long for execve(2), which would fail for every connection. */
static void check_lengths(const struct pool_config *pool, enum pool_option option, const struct words *words,
                          struct problem_list *problems)
{
        const struct origin *origin = &pool->origins[option];
        size_t most = 32 * (size_t)sysconf(_SC_PAGESIZE) - 1; /* the kernel's MAX_ARG_STRLEN without the NUL */

        for (size_t i = 0; i < words->count; i++) {
                size_t length = strlen(words->list[i]);
                if (length > most)
                        problem_add(
                                problems, origin->file, origin->line,
                                "%s: word %zu has %zu bytes; the kernel takes at most %zu in an argument or variable",
                                pool_options[option].name, i + 1, length, most);
        }
}

static int read_options(const struct config_source *source, struct config *config, struct problem_list *problems)
{
        int r = 0;

        for (const char *const *option = source->options; *option && r == 0; option += 2)
                r = config_parse_option(config, option[0], option[1], problems);
        /* A pool that was started by hand must not take over the control socket of the service. */
        if (r == 0 && config->master.origins[MASTER_CONTROL].line == 0)
                r = config_parse_option(config, "control", "", problems);
        return r;
}

struct config_context config_reader_context(void)
{
        return (struct config_context){.is_root = geteuid() == 0, .uid = geteuid(), .gid = getegid()};
}

int config_read(const struct config_source *source, struct config *ret, struct problem_list *problems)
{
        struct config_context context = config_reader_context();
        int r;

        context.from_command_line = source->file == NULL;
        r = source->file ? config_files_read(ret, source->file, problems) : read_options(source, ret, problems);
        if (r == 0)
                r = config_set_defaults(ret);
        if (r == 0)
                r = config_accounts_resolve(ret, problems);
        if (r == 0)
                r = config_finish(ret, &context, problems);
        for (size_t i = 0; i < ret->pool_count && r == 0; i++) {
                check_directories(ret->pools[i], problems);
                check_handler(ret->pools[i], problems);
                check_lengths(ret->pools[i], POOL_HANDLER, &ret->pools[i]->handler, problems);
                check_lengths(ret->pools[i], POOL_ENVIRONMENT, &ret->pools[i]->environment, problems);
        }
        return r;
}
