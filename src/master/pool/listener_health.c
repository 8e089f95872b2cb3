#include "master/pool/listener_health.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/policy/listening.h"
#include "master/loop/evloop.h"
#include "master/pool/pool.h"
#include "os/net/listener_check.h"

void listener_health_welcome(struct pool *pool, struct pool_listener *item)
{
        item->dead = item->hopeless = false;
        item->damage = NULL;
        hangup_watch_add(&pool->listening.hangups, item->listener.fd);
}

void listener_health_tell_missing(struct pool *pool, const char *name, int error)
{
        pool_record_event(pool, MESSAGE_ID_ADDRESS_UNAVAILABLE, LOG_WARNING, "cannot open %s: %s; trying again", name,
                          listener_set_error_text(error));
}

void listener_health_hurry(struct pool *pool)
{
        listening_hurry(&pool->listening.state);
        pool_touch(pool);
}

void listener_health_examine(struct pool *pool)
{
        for (size_t i = 0; i < pool->listeners.count; i++)
                pool->listeners.items[i].hopeless = false;
        pool->listening.look = LOOK_ALL;
        listener_health_hurry(pool);
}

void listener_health_examine_twice(struct pool *pool)
{
        pool->listening.state.look_again = true;
        listener_health_examine(pool);
}

void listener_health_adopt(struct pool *pool)
{
        for (size_t i = 0; i < pool->listeners.count; i++)
                listener_health_welcome(pool, &pool->listeners.items[i]);
        pool_suspect_listeners(pool);
}

static void look_whether_it_listens(struct pool *pool, struct pool_listener *item)
{
        bool was_dead = item->dead;

        item->dead = !listener_listens(&item->listener);
        if (!item->dead || was_dead)
                return;
        item->hopeless = false;
        if (item->watch) /* it would always be ready */
                evloop_watch_pause(item->watch);
        pool_record_event(pool, MESSAGE_ID_LISTENER_DAMAGED, LOG_WARNING,
                          item->listener.address.datagram
                                  ? "%s gets no datagrams any more: a process that has it has shut or connected it"
                                  : "nobody can connect to %s any more: a process that has it has shut it down",
                          item->name);
}

/* Many programs that accept themselves call listen(2) with a backlog of their own, and those that get datagrams set
 * options that they need. */
static bool is_its_own_doing(const struct pool *pool, const struct pool_listener *item,
                             const struct listener_condition *condition)
{
        return pool->config->handler_type == HANDLER_LISTENER && !condition->filtered && condition->altered &&
               (item->listener.address.datagram || text_equal(condition->altered, LISTENER_CHECK_BACKLOG));
}

static void look_for_damage(struct pool *pool, struct pool_listener *item, const struct listener_options *options)
{
        struct listener_condition condition;

        listener_check(&item->listener, options, &condition);
        if (is_its_own_doing(pool, item, &condition)) {
                /* No damage, and it ends here: the next program may leave it as it is. */
                listener_mend(&item->listener, options);
                return;
        }
        item->damage = condition.filtered                   ? "a socket filter"
                       : condition.altered != item->unusual ? condition.altered
                                                            : NULL;
        if (item->damage)
                pool_record_event(pool, MESSAGE_ID_LISTENER_DAMAGED, LOG_WARNING, "%s is not as it was opened (%s)",
                                  item->name, item->damage);
}

static void look_at(struct pool *pool, struct pool_listener *item, enum listener_look what,
                    const struct listener_options *options)
{
        if (what >= LOOK_LISTENS)
                look_whether_it_listens(pool, item);
        if (what == LOOK_ALL && !item->dead)
                look_for_damage(pool, item, options);
}

void listener_health_take(struct pool *pool)
{
        const struct listener_options options = listener_set_options(pool->config);
        enum listener_look what = pool->listening.look;
        struct turn *turn = &pool->turn;

        pool->listening.look = LOOK_NOT;
        for (size_t i = 0; i < pool->listeners.count; i++) {
                struct pool_listener *item = &pool->listeners.items[i];
                look_at(pool, item, what, &options);
                turn->faulty += (item->dead || item->damage) && !item->hopeless;
        }
        turn->listening = &pool->listening.state;
        turn->missing = (unsigned)pool->listening.missing.count;
        turn->is_deaf = pool_is_deaf(pool);
}
