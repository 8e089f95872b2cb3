#include "master/config/preload_check.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/choice.h"
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

/* The text of a refusal: 1, or -ENOMEM. */
static int refuse(struct text *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct text *why, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(why, format, arguments);
        va_end(arguments);
        return r < 0 ? r : 1;
}

/* Can it be loaded? 0; 1 and why not; -ENOMEM. */
static int check_program(const struct pool_config *pool, const struct executable_place *place, const char *path,
                         const struct user *user, struct text *why)
{
        const char *root = pool->root_directory ? pool->root_directory : "";
        _cleanup_(text_clear) struct text reason = {0};

        int r = preload_object_check(place, path, !pool->no_new_privileges, &reason);
        if (r == 0 || r == -ENOMEM)
                return r;
        if (r == -ENOEXEC)
                return refuse(why, "%s cannot be used with the handler \"%s%s\": %s; expected %s", user->value, root,
                              path, text_string(&reason), user->others);
        return refuse(why, "%s needs an object that the handler loads: %s", user->value, text_string(&reason));
}

/* What an explicit method or copy needs of the machine. */
static int check_machine(const struct pool_config *pool, enum pool_option *ret_option, struct text *why)
{
        const char *no_dispatch = preload_object_no_dispatch(), *no_rollback = preload_object_no_rollback();

        *ret_option = POOL_START_METHOD;
        if (pool->start_method == START_SNAPSHOT && no_dispatch)
                return refuse(why, "snapshot cannot be used: %s; expected forkserver or exec", no_dispatch);
        *ret_option = POOL_COPY;
        if (pool->copy == COPY_ROLLBACK && no_rollback)
                return refuse(why, "rollback cannot be used: %s; expected fork", no_rollback);
        return 0;
}

int preload_check(const struct pool_config *pool, const struct executable_place *place, const char *path,
                  enum pool_option *ret_option, struct text *why)
{
        struct user user;

        if (!find_user(pool, &user))
                return 0;
        *ret_option = user.option;
        int r = check_program(pool, place, path, &user, why);
        if (r == 0 && user.option == POOL_ACCOUNTING && preload_object_is_go(place, path))
                return refuse(why,
                              "preload cannot be used with the handler \"%s%s\": it is written in Go, and accepts "
                              "without libc; expected %s",
                              pool->root_directory ? pool->root_directory : "", path, user.others);
        return r == 0 && pool_config_is_copied(pool) ? check_machine(pool, ret_option, why) : r;
}

/* What an explicit copy needs, and auto does not have. */
static int check_choice(const struct pool_config *pool, enum pool_option *ret_option, struct text *why)
{
        _cleanup_(text_clear) struct text reason = {0};

        if (pool->start_method != START_AUTO || pool->copy != COPY_ROLLBACK || !pool_config_uses(pool, POOL_COPY))
                return 0;
        if (pool_config_is_copied(pool))
                return check_machine(pool, ret_option, why);
        int r = choice_describe(pool, POOL_START_METHOD, choice_why(pool, POOL_START_METHOD), &reason);
        *ret_option = POOL_COPY;
        return r < 0 ? r
                     : refuse(why, "rollback cannot be used: start_method = auto means %s; expected fork or auto",
                              text_string(&reason));
}

int preload_choose(struct pool_config *pool, const struct executable_place *place, const char *path,
                   enum pool_option *ret_option, struct text *why)
{
        struct choice_facts facts = {.no_dispatch = preload_object_no_dispatch(),
                                     .no_rollback = preload_object_no_rollback()};
        _cleanup_(text_clear) struct text reason = {0};

        bool is_asked = path && pool->start_method == START_AUTO; /* an explicit method: by preload_check() */
        int r = is_asked ? preload_object_check(place, path, !pool->no_new_privileges, &reason) : 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                facts.no_load = text_string(&reason);
        r = choice_make(pool, &facts);
        return r < 0 ? r : check_choice(pool, ret_option, why);
}
