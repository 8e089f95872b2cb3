#include "master/reload/pool_changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/policy/listening.h"
#include "master/loop/evloop.h"
#include "master/manager/fd_store.h"
#include "master/pool/drainer.h"
#include "master/pool/listener_health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_fallback.h"
#include "master/pool/pool_orders.h"
#include "master/pool/pool_table.h"
#include "master/reload/listener_moves.h"
#include "master/reload/listener_opening.h"

/* What phase one has prepared for one step of the plan. */
struct pool_preparation {
        struct pool *pool;           /* the new pool, for RELOAD_ADD */
        struct listener_set opened;  /* listeners to take into service */
        struct listener_set missing; /* addresses that the pool will wait for */
};

/* The running pool of a step; NULL for RELOAD_ADD. */
static struct pool *running_pool(const struct pool_changes *changes, const struct reload_step *step)
{
        return step->old_pool ? pool_table_find(changes->sources.pools, step->old_pool->name) : NULL;
}

static bool opens_listeners(const struct reload_step *step)
{
        return step->verb == RELOAD_ADD || step->verb == RELOAD_REBIND;
}

/* Phase one. */

/* Find the listener of that name, if it is in service and clients can reach it; else NULL. */
static struct pool_listener *find_reachable(struct pool *pool, const struct listen_address *address)
{
        struct pool_listener *item = pool ? listener_set_find(&pool->listeners, address->text) : NULL;

        return item && !listener_is_lost(&item->listener) ? item : NULL;
}

/* How the addresses of a pool can be served. */
struct provision {
        size_t kept, moving, opened; /* they stay in service, come from another pool or from draining, are new */
        struct problem_list waits;   /* why others cannot be opened */
        int error;                   /* the first of these; 0: none */
};

/* Decide what is made of addresses that cannot be opened: errors, or warnings because the pool waits for them. 0 or the
 * first -errno. */
static int judge(const struct provision *found, const struct pool *running, const struct reload_context *context)
{
        size_t left = found->kept + found->moving + found->opened;
        bool reachable = running && !pool_is_deaf(running);

        if (found->error == 0)
                return 0;
        if (listening_may_wait(context->new_config->master.partial_start, reachable, left)) {
                problem_list_add_warnings(context->problems, &found->waits, LISTENING_WAITS);
                return 0;
        }
        problem_list_add_errors(context->problems, &found->waits);
        return found->error;
}

/* An address that cannot be opened, if the pool may have to wait for it. 0 or -errno. */
static int note_missing(struct listener_set *missing, const struct listen_address *address, int error)
{
        _cleanup_(freep) char *name = strdup(address->text);

        if (!name || listener_set_reserve(missing, 1) < 0)
                return -ENOMEM;
        listener_set_add_missing(missing, TAKE_PTR(name), -error);
        return 0;
}

/* Open a listener that no pool has. 0 or -errno; an address that can be waited for is no error here. */
static int open_one(struct pool_changes *changes, const struct reload_step *step, const struct listen_address *address,
                    struct pool_preparation *prepared, struct provision *found, struct problem_list *problems)
{
        bool can_wait = !listen_address_socket_name(address);

        int r = listener_opening_open(&changes->sources, step->new_pool, address, &prepared->opened,
                                      &changes->is_sharing, can_wait ? &found->waits : problems);
        found->opened += r == 0;
        if (r == 0 || !can_wait || r == -ENOMEM)
                return r;
        found->error = found->error < 0 ? found->error : r;
        return note_missing(&prepared->missing, address, r);
}

/* Open the listeners that no pool has. Returns the number of the others, which are moved from another pool or taken
 * back from draining; -errno with a problem added. */
static int open_listeners(struct pool_changes *changes, const struct reload_step *step, struct pool *running,
                          struct pool_preparation *prepared, const struct reload_context *context)
{
        struct provision found = {0};
        int r = 0;

        for (size_t i = 0; i < step->new_pool->listen.count; i++) {
                const struct listen_address *address = &step->new_pool->listen.items[i];
                bool is_kept = find_reachable(running, address);
                bool is_moving = !is_kept && listener_moves_find(changes->sources.pools, running, address);
                found.kept += is_kept;
                found.moving += is_moving;
                if (is_kept || is_moving)
                        continue;
                int one = open_one(changes, step, address, prepared, &found, context->problems);
                r = r < 0 ? r : one;
        }
        int judged = judge(&found, running, context);
        problem_list_clear(&found.waits);
        r = r < 0 ? r : judged;
        return r < 0 ? r : (int)found.moving;
}

/* Phase two only moves listeners between sets, into room that is made here. */
static int reserve_room(struct pool *pool, size_t listeners, size_t moving, struct listener_set *opened)
{
        int r = listener_set_reserve(opened, moving);

        if (r == 0)
                r = listener_set_reserve(&pool->listeners, listeners + pool->closing.count);
        if (r == 0)
                r = listener_set_reserve(&pool->closing, listeners + pool->listeners.count);
        return r;
}

static int prepare_step(struct pool_changes *changes, const struct reload_step *step, struct pool_preparation *prepared,
                        const struct reload_context *context)
{
        struct pool *pool = running_pool(changes, step);

        if (!opens_listeners(step))
                return 0;
        int moving = open_listeners(changes, step, pool, prepared, context);
        int r = MIN_OF(moving, 0);
        if (r == 0 && step->verb == RELOAD_ADD) {
                r = pool_new(changes->runtime, step->new_pool, &prepared->pool);
                pool = prepared->pool;
                if (r < 0)
                        problem_add(context->problems, NULL, 0, "pool %s: %s", step->new_pool->name,
                                    r == -EFBIG ? "preforkd's own limit on the size of files (ulimit -f) is too small"
                                                : strerror(-r));
        }
        return r == 0 ? reserve_room(pool, step->new_pool->listen.count, (size_t)moving, &prepared->opened) : r;
}

static void undo(void *owner, const struct reload_context *context)
{
        struct pool_changes *changes = owner;

        for (size_t i = 0; changes->prepared && i < context->plan->count; i++) {
                listener_set_close(&changes->prepared[i].opened);
                listener_set_close(&changes->prepared[i].missing);
                pool_free(changes->prepared[i].pool);
        }
        freep(&changes->prepared);
        changes->is_sharing = false;
}

static int prepare(void *owner, const struct reload_context *context)
{
        struct pool_changes *changes = owner;
        const struct reload_plan *plan = context->plan;
        int r = 0;

        changes->prepared = calloc(plan->count + 1, sizeof(*changes->prepared));
        if (!changes->prepared || pool_table_reserve(changes->sources.pools, plan->count) < 0)
                r = -ENOMEM;
        for (size_t i = 0; i < plan->count && r != -ENOMEM; i++) { /* go on after an error, to report all problems */
                int step = prepare_step(changes, &plan->steps[i], &changes->prepared[i], context);
                r = r < 0 ? r : step;
        }
        if (r < 0)
                undo(owner, context);
        return r;
}

/* A dry run. */

static void check_step(const struct pool_changes *changes, const struct reload_step *step,
                       const struct reload_context *context)
{
        struct pool *running = running_pool(changes, step);
        struct provision found = {0};

        for (size_t i = 0; i < step->new_pool->listen.count; i++) {
                const struct listen_address *address = &step->new_pool->listen.items[i];
                size_t known = found.waits.count;
                if (find_reachable(running, address) || listener_moves_find(changes->sources.pools, running, address)) {
                        found.kept++;
                        continue;
                }
                if (fd_store_try(changes->sources.store, step->new_pool, address, context->problems) == 0)
                        listener_moves_try(changes->sources.pools, step->new_pool, address, &found.waits);
                if (found.waits.count > known)
                        found.error = -EADDRNOTAVAIL;
                else
                        found.opened++;
        }
        judge(&found, running, context);
        problem_list_clear(&found.waits);
}

static void check(const void *owner, const struct reload_context *context)
{
        const struct pool_changes *changes = owner;

        for (size_t s = 0; s < context->plan->count; s++)
                if (opens_listeners(&context->plan->steps[s]))
                        check_step(changes, &context->plan->steps[s], context);
}

/* Phase two. */

static bool is_listed(const struct pool_config *config, const char *name)
{
        for (size_t i = 0; i < config->listen.count; i++)
                if (text_equal(config->listen.items[i].text, name))
                        return true;
        return false;
}

/* From now on the pool waits for these addresses, and for no other. */
static void take_missing(struct pool *pool, struct listener_set *missing)
{
        listener_set_close(&pool->listening.missing);
        pool->listening.missing = *missing;
        *missing = (struct listener_set){0};
        for (size_t i = 0; i < pool->listening.missing.count; i++)
                listener_health_tell_missing(pool, pool->listening.missing.items[i].name,
                                             pool->listening.missing.items[i].error);
}

/* Exchange the listeners: those that are no longer configured begin to drain, the new ones are taken into service. */
static void rebind(const struct pool_table *pools, struct pool *pool, struct pool_preparation *prepared)
{
        for (size_t i = pool->listeners.count; i-- > 0;) {
                struct pool_listener *item = &pool->listeners.items[i];
                bool is_new = listener_set_find(&prepared->opened, item->name);
                bool was_lost = is_new || listener_set_find(&prepared->missing, item->name);
                if (is_new)
                        pool_record(pool, LOG_NOTICE, "the file of %s was removed: it is opened anew", item->name);
                if (was_lost || !is_listed(pool->config, item->name))
                        drainer_close_listener(pool, item, pool->generation - 1);
        }
        listener_moves_take_back(pools, pool);
        listener_opening_take(pool, &prepared->opened);
        take_missing(pool, &prepared->missing);
}

/* Set the options of open listeners. A failure leaves the old value and is only a warning, because phase two cannot
 * fail. */
static void adjust_listeners(struct pool *pool)
{
        const struct listener_options options = listener_set_options(pool->config);

        for (size_t i = 0; i < pool->listeners.count; i++) {
                struct pool_listener *item = &pool->listeners.items[i];
                uint32_t effective_before = item->listener.effective_backlog;
                int r = listener_adjust(&item->listener, &options);
                if (r < 0)
                        pool_record(pool, LOG_WARNING, "listen %s: cannot apply its new options: %s", item->name,
                                    strerror(-r));
                if (item->listener.effective_backlog != effective_before)
                        listener_opening_announce(pool, item);
        }
}

/* A step that is being carried out. */
struct carrying {
        const struct pool_changes *changes;
        const struct reload_context *context;
        const struct reload_step *step;
        struct pool_preparation *prepared;
        struct pool *pool;
        const char *changed; /* the names of the changed options */
};

static void keep(const struct carrying *at)
{
        pool_set_config(at->pool, at->step->new_pool);
        pool_apply_config(at->pool);
}

static void limits(const struct carrying *at)
{
        pool_set_config(at->pool, at->step->new_pool);
        adjust_listeners(at->pool);
        pool_record(at->pool, LOG_INFO, "new limits (%s changed)", at->changed);
        pool_apply_config(at->pool);
}

static void roll(const struct carrying *at)
{
        struct pool *pool = at->pool;

        pool_set_config(pool, at->step->new_pool);
        pool_begin_generation(pool);
        pool_fallback_renew(pool);
        if (at->step->verb == RELOAD_REBIND)
                rebind(at->changes->sources.pools, pool, at->prepared);
        adjust_listeners(pool);
        pool_record(pool, LOG_INFO, "generation %llu (%s changed)", (unsigned long long)pool->generation, at->changed);
        pool_apply_config(pool);
}

static void add(const struct carrying *at)
{
        listener_moves_take_back(at->changes->sources.pools, at->pool);
        listener_opening_take(at->pool, &at->prepared->opened);
        take_missing(at->pool, &at->prepared->missing);
        adjust_listeners(at->pool);
        pool_table_add(at->changes->sources.pools, at->pool);
        pool_start(at->pool);
}

static void remove_pool(const struct carrying *at)
{
        pool_order_close(at->pool, config_take_pool(at->context->old_config, at->pool->name),
                         "removed from the configuration");
}

static void carry_out(const struct pool_changes *changes, const struct reload_context *context, size_t index)
{
        static void (*const verbs[])(const struct carrying *at) = {
                [RELOAD_KEEP] = keep,   [RELOAD_LIMITS] = limits, [RELOAD_ROLL] = roll,
                [RELOAD_REBIND] = roll, [RELOAD_ADD] = add,       [RELOAD_REMOVE] = remove_pool};
        static_assert(ELEMENTS(verbs) == RELOAD_VERB_COUNT, "every verb is carried out");
        _cleanup_(text_clear) struct text changed = {0};
        struct carrying at = {.changes = changes,
                              .context = context,
                              .step = &context->plan->steps[index],
                              .prepared = &changes->prepared[index]};

        reload_step_describe(at.step, &changed);
        at.changed = changed.length > 0 ? text_string(&changed) : "nothing";
        at.pool = at.prepared->pool ? at.prepared->pool : running_pool(changes, at.step);
        verbs[at.step->verb](&at);
        if (at.step->verb != RELOAD_REMOVE)
                pool_fallback_announce(at.pool);
}

/* Move listeners between running pools. This is done for all pools before any listener is closed, because two pools may
 * exchange theirs. */
static void move_listeners(const struct pool_changes *changes, const struct reload_plan *plan)
{
        for (size_t i = 0; i < plan->count; i++) {
                const struct reload_step *step = &plan->steps[i];
                if (opens_listeners(step))
                        listener_moves_collect(changes->sources.pools, running_pool(changes, step), step->new_pool,
                                               &changes->prepared[i].opened);
        }
}

static void commit(void *owner, const struct reload_context *context)
{
        struct pool_changes *changes = owner;

        move_listeners(changes, context->plan);
        for (size_t i = 0; i < context->plan->count; i++)
                carry_out(changes, context, i);
        if (changes->is_sharing)
                listener_moves_end_sharing(changes->sources.pools);
        changes->is_sharing = false;
        for (size_t i = 0; i < changes->sources.pools->count; i++) {
                struct pool *pool = changes->sources.pools->items[i];
                listener_opening_store(&changes->sources, pool);
                if (context->old_config && pool->listening.missing.count > 0)
                        listener_health_hurry(pool);
        }
        freep(&changes->prepared);
}

const struct reload_participant pools_participant = {
        .name = "pools", .check = check, .prepare = prepare, .commit = commit, .undo = undo};

static void check_passed(const void *owner, const struct reload_context *context)
{
        fd_store_check_unused(owner, context->new_config, !context->old_config, context->problems);
}

static int prepare_passed(void *owner, const struct reload_context *context)
{
        check_passed(owner, context);
        return problem_list_refuses(context->problems) ? -EINVAL : 0;
}

const struct reload_participant passed_sockets_participant = {
        .name = "passed sockets", .check = check_passed, .prepare = prepare_passed};
