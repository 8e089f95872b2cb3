#include "logic/policy/reload_diff.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/option_value.h"

static bool listens_on(const struct pool_config *pool, const struct listen_address *address)
{
        for (size_t i = 0; i < pool->listen.count; i++)
                if (listen_address_equal(&pool->listen.items[i], address))
                        return true;
        return false;
}

/* True if every listener of `a` is one of `b`. No list has an address twice (config_finish). */
static bool listens_within(const struct pool_config *a, const struct pool_config *b)
{
        for (size_t i = 0; i < a->listen.count; i++)
                if (!listens_on(b, &a->listen.items[i]))
                        return false;
        return true;
}

/* What a change of the option asks for, as these two pools stand. */
static enum reload_effect change_effect(const struct pool_config *old_pool, const struct pool_config *new_pool,
                                        enum pool_option option)
{
        bool same_set = listens_within(old_pool, new_pool) && listens_within(new_pool, old_pool);

        /* The same addresses in another order: the sockets stay, but workers got them in the old order. */
        if (option == POOL_LISTEN && same_set)
                return EFFECT_ROLL;
        /* Neither pool has an address of that kind: the option affects nothing. */
        if ((option == POOL_IPV6_ONLY || option == POOL_BIND_TO_DEVICE) && !pool_config_uses(old_pool, option) &&
            !pool_config_uses(new_pool, option))
                return EFFECT_IN_PLACE;
        return pool_options[option].effect;
}

static enum reload_verb effect_verb(enum reload_effect effect)
{
        switch (effect) {
        case EFFECT_REBIND:
                return RELOAD_REBIND;
        case EFFECT_ROLL:
                return RELOAD_ROLL;
        default:
                return RELOAD_LIMITS;
        }
}

/* A link was switched, or a directory made anew: new workers would find other files there than those that run. */
static void compare_directory(struct reload_step *step, enum pool_option option, const struct directory_id *old_id,
                              const struct directory_id *new_id)
{
        if (old_id->inode == 0 || new_id->inode == 0 ||
            (old_id->device == new_id->device && old_id->inode == new_id->inode))
                return;
        step->changed[option] = true;
        step->verb = MAX_OF(step->verb, RELOAD_ROLL);
}

static const char *next_file(const struct reload_step *step, size_t *at)
{
        const struct handler_files *before = &step->old_pool->handler_files, *now = &step->new_pool->handler_files;

        while (*at < now->count) {
                const struct handler_file *file = &now->items[(*at)++];
                if (handler_files_differ(before, file))
                        return file->name;
        }
        return NULL;
}

/* Workers go on with the files that they have. If the handler is another one by its options, its files say nothing. */
static void compare_files(struct reload_step *step)
{
        size_t at = 0;

        if (step->changed[POOL_HANDLER] || step->changed[POOL_HANDLER_TYPE] || step->changed[POOL_ROOT_DIRECTORY])
                return;
        step->is_replaced = next_file(step, &at) != NULL;
        if (step->is_replaced)
                step->verb = MAX_OF(step->verb, RELOAD_ROLL);
}

/* auto means something else now: the program was replaced, or the machine permits more or less. */
static void compare_choice(struct reload_step *step)
{
        const struct pool_config *old_pool = step->old_pool, *new_pool = step->new_pool;
        bool is_copied = pool_config_is_copied(old_pool) || pool_config_is_copied(new_pool);

        step->changed[POOL_START_METHOD] |= pool_config_start_method(old_pool) != pool_config_start_method(new_pool);
        step->changed[POOL_COPY] |= is_copied && pool_config_copy(old_pool) != pool_config_copy(new_pool);
        if (step->changed[POOL_START_METHOD] || step->changed[POOL_COPY])
                step->verb = MAX_OF(step->verb, RELOAD_ROLL);
}

/* A list has other lines now, or a name another number. */
static void compare_access(struct reload_step *step)
{
        const struct pool_config *old_pool = step->old_pool, *new_pool = step->new_pool;
        bool is_other = !access_table_equal(old_pool->access.table, new_pool->access.table);
        bool has_other_proxies = !access_table_equal(old_pool->proxies.table, new_pool->proxies.table);

        if (is_other && !step->changed[POOL_ALLOW] && !step->changed[POOL_DENY])
                step->changed[new_pool->allow.count > 0 ? POOL_ALLOW : POOL_DENY] = true;
        step->changed[POOL_PROXY_PROTOCOL] |= has_other_proxies;
        if (is_other || has_other_proxies)
                step->verb = MAX_OF(step->verb, RELOAD_ROLL);
}

static void compare_pools(struct reload_step *step)
{
        static_assert(RELOAD_KEEP < RELOAD_LIMITS && RELOAD_LIMITS < RELOAD_ROLL && RELOAD_ROLL < RELOAD_REBIND,
                      "verbs are ordered by strength");

        step->verb = RELOAD_KEEP;
        for (int i = 0; i < POOL_OPTION_COUNT; i++) {
                enum pool_option option = (enum pool_option)i;
                step->changed[i] = !pool_option_equal(step->old_pool, step->new_pool, option);
                if (step->changed[i])
                        step->verb =
                                MAX_OF(step->verb, effect_verb(change_effect(step->old_pool, step->new_pool, option)));
        }
        compare_directory(step, POOL_DIRECTORY, &step->old_pool->directory_id, &step->new_pool->directory_id);
        compare_directory(step, POOL_ROOT_DIRECTORY, &step->old_pool->root_directory_id,
                          &step->new_pool->root_directory_id);
        compare_choice(step);
        compare_access(step);
        compare_files(step);
}

/* The running pool that has the address. It is the pool itself or one that gives the address up in this reload, because
 * an address belongs to one pool of a configuration only. */
static const struct pool_config *find_owner(const struct config *config, const struct listen_address *item)
{
        for (size_t i = 0; i < config->pool_count; i++)
                if (listens_on(config->pools[i], item))
                        return config->pools[i];
        return NULL;
}

static bool differs(const struct pool_config *a, const struct pool_config *b, enum pool_option option,
                    const struct listen_address *item)
{
        sa_family_t family = item->address.any.sa_family;

        if (option == POOL_IPV6_ONLY ? family != AF_INET6 : family != AF_INET && family != AF_INET6)
                return false;
        return !pool_option_equal(a, b, option);
}

/* Some options are fixed by bind(2): they cannot change while the socket stays open. (The device could be changed, but
 * clients who came through another one would be in the queue still; and going back may not be permitted.) */
static void check_fixed(const struct config *old_config, const struct pool_config *pool, enum pool_option option,
                        struct problem_list *problems)
{
        const struct origin *set = &pool->origins[option];
        const struct origin *place = set->line > 0 ? set : &pool->section;

        for (size_t i = 0; i < pool->listen.count; i++) {
                const struct listen_address *item = &pool->listen.items[i];
                const struct pool_config *owner = find_owner(old_config, item);
                if (owner && differs(owner, pool, option, item))
                        problem_add(problems, place->file, place->line,
                                    "%s: cannot change in a reload while %s stays open; restart, or remove the "
                                    "address in one reload and add it in the next",
                                    pool_options[option].name, item->text);
        }
}

int reload_diff(const struct config *old_config, const struct config *new_config, struct reload_plan *ret,
                struct problem_list *problems)
{
        size_t most = old_config->pool_count + new_config->pool_count;
        struct reload_plan plan = {.steps = calloc(MAX_OF(most, (size_t)1), sizeof(*plan.steps))};

        if (!plan.steps)
                return -ENOMEM;
        for (size_t i = 0; i < new_config->pool_count; i++) {
                struct reload_step *step = &plan.steps[plan.count++];
                step->new_pool = new_config->pools[i];
                step->old_pool = config_find_pool(old_config, step->new_pool->name);
                step->verb = RELOAD_ADD;
                if (step->old_pool)
                        compare_pools(step);
                check_fixed(old_config, step->new_pool, POOL_IPV6_ONLY, problems);
                check_fixed(old_config, step->new_pool, POOL_BIND_TO_DEVICE, problems);
        }
        for (size_t i = 0; i < old_config->pool_count; i++)
                if (!config_find_pool(new_config, old_config->pools[i]->name))
                        plan.steps[plan.count++] =
                                (struct reload_step){.verb = RELOAD_REMOVE, .old_pool = old_config->pools[i]};
        *ret = plan;
        return 0;
}

const char *reload_step_next_file(const struct reload_step *step, size_t *at)
{
        return step->is_replaced ? next_file(step, at) : NULL;
}

int reload_step_describe(const struct reload_step *step, struct text *text)
{
        const char *separator = "", *file;
        size_t at = 0;
        int r = 0;

        for (int i = 0; i < POOL_OPTION_COUNT && r == 0; i++)
                if (step->changed[i]) {
                        r = text_appendf(text, "%s%s", separator, pool_options[i].name);
                        separator = ", ";
                }
        while (r == 0 && (file = reload_step_next_file(step, &at))) {
                r = text_appendf(text, "%s%s", separator, file);
                separator = ", ";
        }
        return r;
}

const char *reload_verb_name(enum reload_verb verb)
{
        static const char *const names[] = {
                [RELOAD_KEEP] = "keep",     [RELOAD_LIMITS] = "limits", [RELOAD_ROLL] = "roll",
                [RELOAD_REBIND] = "rebind", [RELOAD_ADD] = "add",       [RELOAD_REMOVE] = "remove",
        };
        static_assert(ELEMENTS(names) == RELOAD_VERB_COUNT, "a name for every enum reload_verb");

        return names[verb];
}

void reload_plan_clear(struct reload_plan *plan)
{
        free(plan->steps);
        *plan = (struct reload_plan){0};
}
