#include "master/config/preload_check.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/process/preload_object.h"

/* For what an object is loaded into the program, and what else there is. */
struct user {
        enum pool_option option;
        const char *value, *others;
};

static bool find_user(const struct pool_config *pool, struct user *ret)
{
        if (pool->handler_type == HANDLER_LISTENER && pool->accounting == ACCOUNTING_PRELOAD)
                *ret = (struct user){POOL_ACCOUNTING, "preload", "api or none"};
        else if (pool_config_is_copied(pool))
                *ret = (struct user){POOL_START_METHOD,
                                     pool->start_method == START_SNAPSHOT ? "snapshot" : "forkserver", "exec"};
        else
                return false;
        return true;
}

int preload_check(const struct pool_config *pool, const struct executable_place *place, const char *path,
                  enum pool_option *ret_option, struct text *why)
{
        const char *root = pool->root_directory ? pool->root_directory : "";
        _cleanup_(text_clear) struct text reason = {0};
        struct user user;

        if (!find_user(pool, &user))
                return 0;
        *ret_option = user.option;
        int r = preload_object_check(place, path, !pool->no_new_privileges, &reason);
        if (r == 0 || r == -ENOMEM)
                return r;
        if (r == -ENOEXEC)
                r = text_appendf(why, "%s cannot be used with the handler \"%s%s\": %s; expected %s", user.value, root,
                                 path, text_string(&reason), user.others);
        else
                r = text_appendf(why, "%s needs an object that the handler loads: %s", user.value,
                                 text_string(&reason));
        return r < 0 ? r : 1;
}
