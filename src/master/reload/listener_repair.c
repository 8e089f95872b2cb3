#include "master/reload/listener_repair.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/policy/listening.h"
#include "master/pool/drainer.h"
#include "master/pool/listener_health.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "master/reload/listener_moves.h"
#include "master/reload/listener_opening.h"
#include "os/net/listener_check.h"

/* A repair that is being carried out. */
struct repair {
        const struct listener_sources *sources;
        struct pool *pool;
        struct listener_options options;
        struct listener_set opened;
        bool is_sharing;
        bool has_begun; /* the generation that will have the new listeners */
};

static const struct listen_address *find_address(const struct pool *pool, const char *name)
{
        for (size_t i = 0; i < pool->config->listen.count; i++)
                if (text_equal(pool->config->listen.items[i].text, name))
                        return &pool->config->listen.items[i];
        return NULL;
}

/* Open the address as a reload would. 0 or -errno. */
static int open_address(struct repair *repair, const char *name)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct listen_address *address = find_address(repair->pool, name);

        return address ? listener_opening_open(repair->sources, repair->pool->config, address, &repair->opened,
                                               &repair->is_sharing, &problems)
                       : -ENOENT;
}

static enum listening_remedy remedy_of(const struct pool_listener *item)
{
        const struct address *address = &item->listener.address;
        const struct listening_facts facts = {.listens = !item->dead,
                                              .damaged = item->damage,
                                              .is_passed = item->listener.origin == LISTENER_ACTIVATED,
                                              .is_abstract = address->any.sa_family == AF_UNIX &&
                                                             address->un.sun_path[0] == '\0'};

        return item->hopeless ? REMEDY_NONE : listening_remedy_of(&facts);
}

static void mend(struct repair *repair, struct pool_listener *item, int why_not_anew)
{
        struct pool *pool = repair->pool;
        struct listener_condition condition;

        int r = listener_mend(&item->listener, &repair->options);
        listener_check(&item->listener, &repair->options, &condition);
        item->dead = !condition.listens;
        if (r == 0 && !item->dead && !condition.filtered && !condition.altered) {
                listener_health_welcome(pool, item);
                pool_record(pool, LOG_NOTICE, "%s was put right", item->name);
                return;
        }
        item->damage = NULL; /* it has been told */
        item->hopeless = condition.listens || item->listener.origin == LISTENER_ACTIVATED;
        if (item->listener.origin == LISTENER_ACTIVATED)
                pool_record(pool, LOG_ERR,
                            "%s cannot be put right: stop preforkd, restart the socket unit, start preforkd",
                            item->name);
        else
                pool_record(pool, LOG_ERR, "%s stays as it is, because it cannot be opened anew: %s", item->name,
                            listener_set_error_text(-why_not_anew));
}

/* Workers that were launched in the present generation do not have a new listener. */
static bool has_workers_of_this_generation(const struct pool *pool)
{
        for (const struct worker *worker = pool->workers.first; worker; worker = worker->next)
                if (worker->generation == pool->generation)
                        return true;
        return false;
}

static void begin_generation(struct repair *repair)
{
        if (!repair->has_begun && has_workers_of_this_generation(repair->pool))
                pool_begin_generation(repair->pool);
        repair->has_begun = true;
}

/* Let go of a listener: what waits in its queue is still served by the workers that have it. */
static void drain(struct repair *repair, size_t index)
{
        struct pool *pool = repair->pool;

        drainer_replace_listener(pool, &pool->listeners.items[index],
                                 repair->has_begun ? pool->generation - 1 : pool->generation);
}

/* The file of a UNIX listener is in the way of the next one. */
static void replace(struct repair *repair, size_t index)
{
        struct pool_listener *item = &repair->pool->listeners.items[index];

        listener_leave_path(&item->listener);
        int r = open_address(repair, item->name);
        if (r < 0) {
                mend(repair, item, r);
                return;
        }
        begin_generation(repair);
        drain(repair, index);
}

static void reopen(struct repair *repair, size_t index)
{
        struct pool *pool = repair->pool;
        struct pool_listener *item = &pool->listeners.items[index];
        _cleanup_(freep) char *name = strdup(item->name);

        if (!name) /* later */
                return;
        int r = open_address(repair, name);
        if (r == 0)
                begin_generation(repair);
        drain(repair, index);
        if (r < 0) {
                listener_health_tell_missing(pool, name, -r);
                listener_set_add_missing(&pool->listening.missing, TAKE_PTR(name), -r);
        }
}

static void repair_damaged(struct repair *repair)
{
        struct pool *pool = repair->pool;

        for (size_t i = pool->listeners.count; i-- > 0;) {
                switch (remedy_of(&pool->listeners.items[i])) {
                case REMEDY_MEND:
                        mend(repair, &pool->listeners.items[i], -EBUSY); /* its name is taken */
                        break;
                case REMEDY_REOPEN:
                        reopen(repair, i);
                        break;
                case REMEDY_REPLACE:
                        replace(repair, i);
                        break;
                case REMEDY_NONE:
                case REMEDY_COUNT:
                        break;
                }
        }
}

static void open_missing(struct repair *repair)
{
        struct listener_set *missing = &repair->pool->listening.missing;

        for (size_t i = missing->count; i-- > 0;) {
                struct pool_listener *item = &missing->items[i];
                int r = open_address(repair, item->name);
                if (r == 0) {
                        begin_generation(repair);
                        pool_record(repair->pool, LOG_NOTICE, "opened %s", item->name);
                        listener_set_close_one(missing, item);
                        continue;
                }
                if (item->error != -r)
                        listener_health_tell_missing(repair->pool, item->name, -r);
                item->error = -r;
        }
}

/* Everything is moved into room that is made here. */
static int reserve_room(struct pool *pool)
{
        size_t most = pool->listeners.count + pool->listening.missing.count;

        int r = listener_set_reserve(&pool->listening.missing, pool->listeners.count);
        if (r == 0)
                r = listener_set_reserve(&pool->listeners, most);
        /* As many again as a stop closes. */
        return r == 0 ? listener_set_reserve(&pool->closing, pool->listeners.count + most) : r;
}

void listener_repair(const struct listener_sources *sources, struct pool *pool)
{
        struct repair repair = {.sources = sources, .pool = pool, .options = listener_set_options(pool->config)};

        if (reserve_room(pool) < 0)
                return;
        open_missing(&repair);
        repair_damaged(&repair);
        listener_opening_take(pool, &repair.opened);
        if (repair.is_sharing)
                listener_moves_end_sharing(sources->pools);
        listener_opening_store(sources, pool);
        pool_touch(pool);
}
