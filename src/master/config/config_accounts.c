#include "master/config/config_accounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/account.h"
#include "os/process/program.h"

/* `kind`: user or group. */
static void report(struct problem_list *problems, const struct origin *origin, const char *key, const char *kind,
                   const struct account *account, int error)
{
        if (error == -ENOENT)
                problem_add(problems, origin->file, origin->line, "%s: there is no %s \"%s\"", key, kind,
                            account->name);
        else
                problem_add(problems, origin->file, origin->line, "%s: \"%s\" cannot be looked up: %s", key,
                            account->name, strerror(-error));
}

static void resolve_group(struct account *group, const struct origin *origin, const char *key,
                          struct problem_list *problems)
{
        gid_t gid;

        if (!group->name || group->resolved)
                return;
        int r = account_find_group(group->name, &gid);
        if (r < 0) {
                report(problems, origin, key, "group", group, r);
                return;
        }
        group->id = gid;
        group->resolved = true;
}

/* The user's record in the user database. A numeric user need not have one. */
static int find_user(struct account *user, struct account_record *ret)
{
        int r = user->resolved ? account_find_by_uid(user->id, ret) : account_find_by_name(user->name, ret);

        if (r == 0) {
                user->id = ret->uid;
                user->resolved = true;
        }
        return r;
}

static int set_account(struct account *ref, uint32_t id)
{
        free(ref->name);
        *ref = (struct account){.id = id, .resolved = true};
        return asprintf(&ref->name, "%u", id) < 0 ? -ENOMEM : 0;
}

static bool has_group(const struct account_list *list, gid_t gid)
{
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i].resolved && list->items[i].id == gid)
                        return true;
        return false;
}

static int add_group(struct account_list *list, gid_t gid)
{
        struct account *items = realloc(list->items, (list->count + 1) * sizeof(*items));

        if (!items)
                return -ENOMEM;
        list->items = items;
        items[list->count] = (struct account){0};
        return set_account(&items[list->count++], gid);
}

/* Add the user's own groups to the configured supplementary groups. */
static int add_user_groups(struct pool_config *pool, const struct account_record *user)
{
        _cleanup_(freep) gid_t *gids = NULL;
        size_t count = 0;

        int r = account_list_groups(user->name, pool->group.id, &gids, &count);
        for (size_t i = 0; i < count && r == 0; i++)
                if (gids[i] != pool->group.id && !has_group(&pool->supplementary_groups, gids[i]))
                        r = add_group(&pool->supplementary_groups, gids[i]);
        return r;
}

static int set_default(struct secret_words *environment, const char *name, const char *value)
{
        _cleanup_(freep) char *variable = NULL;

        for (size_t i = 0; i < environment->count; i++)
                if (text_starts_with(environment->list[i], name) && environment->list[i][strlen(name)] == '=')
                        return 0;
        return asprintf(&variable, "%s=%s", name, value) < 0 ? -ENOMEM : secret_words_add(environment, variable);
}

/* The variables systemd sets for a service with User= (systemd.exec(5)). */
static int complete_environment(struct pool_config *pool, const struct account_record *user)
{
        struct secret_words *environment = &pool->environment;
        int r = pool->clear_environment ? set_default(environment, "PATH", PROGRAM_DEFAULT_PATH) : 0;

        if (r < 0 || !user->name)
                return r;
        const struct {
                const char *name, *value;
        } defaults[] = {{"HOME", user->home},
                        {"USER", user->name},
                        {"LOGNAME", user->name},
                        {"SHELL", user->shell[0] != '\0' ? user->shell : "/bin/sh"}};
        for (size_t i = 0; i < ELEMENTS(defaults) && r == 0; i++)
                r = set_default(environment, defaults[i].name, defaults[i].value);
        return r;
}

static int resolve_user(struct pool_config *pool, struct account_record *ret, struct problem_list *problems)
{
        const struct origin *origin = &pool->origins[POOL_USER];

        int r = find_user(&pool->user, ret);
        if (r == -ENOENT && pool->user.resolved) {
                if (!pool->group.name)
                        problem_add(problems, origin->file, origin->line,
                                    "user: %u is in no user database; expected `group` to be set too", pool->user.id);
                return 0;
        }
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                report(problems, origin, "user", "user", &pool->user, r);
                return 0;
        }
        if (!pool->group.name)
                r = set_account(&pool->group, ret->gid);
        return r == 0 && pool->group.resolved ? add_user_groups(pool, ret) : r;
}

static int resolve_pool(struct pool_config *pool, struct problem_list *problems)
{
        _cleanup_(account_clear) struct account_record user = {0};
        int r = 0;

        resolve_group(&pool->group, &pool->origins[POOL_GROUP], "group", problems);
        for (size_t i = 0; i < pool->supplementary_groups.count; i++)
                resolve_group(&pool->supplementary_groups.items[i], &pool->origins[POOL_SUPPLEMENTARY_GROUPS],
                              "supplementary_groups", problems);
        resolve_group(&pool->socket_group, &pool->origins[POOL_SOCKET_GROUP], "socket_group", problems);
        if (pool->socket_user.name) {
                _cleanup_(account_clear) struct account_record owner = {0};
                const struct origin *origin = &pool->origins[POOL_SOCKET_USER];
                int found = find_user(&pool->socket_user, &owner);
                if (found < 0 && !pool->socket_user.resolved)
                        report(problems, origin, "socket_user", "user", &pool->socket_user, found);
        }
        if (pool->user.name)
                r = resolve_user(pool, &user, problems);
        else if (pool->clear_environment && account_find_by_uid(geteuid(), &user) < 0)
                user = (struct account_record){0}; /* our own uid is not in the user database: set fewer variables */
        return r == 0 ? complete_environment(pool, &user) : r;
}

int config_accounts_resolve(struct config *config, struct problem_list *problems)
{
        int r = 0;

        resolve_group(&config->master.control_group, &config->master.origins[MASTER_CONTROL_GROUP], "control_group",
                      problems);
        for (size_t i = 0; i < config->pool_count && r == 0; i++)
                r = resolve_pool(config->pools[i], problems);
        return r;
}
