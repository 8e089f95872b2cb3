#include "master/reload/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/config/config_options.h"
#include "logic/policy/reload_changes.h"
#include "logic/policy/reload_diff.h"
#include "master/control/control_socket.h"
#include "master/loop/evloop.h"
#include "master/manager/fd_store.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "master/reload/effective_config.h"
#include "master/reload/fd_budget.h"
#include "master/reload/listener_moves.h"

/* What phase one made for one step. */
struct preparation {
        struct pool *pool;           /* of a pool to add */
        struct listener_set opened;  /* listeners to take into service */
};

struct reload {
        struct daemon *daemon;
        const struct config *running; /* what the new one is compared with; not owned */
        struct config *config;
        struct reload_plan plan;
        struct preparation *prepared; /* one a step */
        struct log_sink_state *log_sink;
        struct control_change control;
        struct problem_list *problems;
};

enum log_destination reload_log_destination(int target)
{
        static const enum log_destination destinations[] = {
                [LOG_TARGET_AUTO] = LOG_DESTINATION_AUTO,
                [LOG_TARGET_JOURNAL] = LOG_DESTINATION_JOURNAL,
                [LOG_TARGET_SYSLOG] = LOG_DESTINATION_SYSLOG,
                [LOG_TARGET_STDERR] = LOG_DESTINATION_STDERR,
        };

        return destinations[target];
}

static int prepare_log(struct reload *reload)
{
        const struct config *running = reload->daemon->config;
        int target = reload->config->master.log_target;
        const struct origin *origin = &reload->config->master.origins[MASTER_LOG_TARGET];
        const char *path;

        if (running && running->master.log_target == target)
                return 0;
        int r = log_sink_open(reload_log_destination(target), NULL, &reload->log_sink);
        if (r < 0) {
                problem_add(reload->problems, origin->file, origin->line, "log_target: cannot open it: %s", strerror(-r));
                return r;
        }
        r = log_sink_check(reload->log_sink, &path);
        if (r < 0) { /* to the log that can still be read */
                const struct log_fields fields = {.file = origin->file, .line = origin->line};
                log_emit(LOG_WARNING, &fields, "log_target: %s: %s; records are lost until somebody listens there", path,
                         strerror(-r));
        }
        return 0;
}

/* A listener that is new to us: the service manager's, or else our own. */
static int open_listener(const struct reload *reload, const struct pool_config *pool, const struct listen_address *address,
                         struct listener_set *opened)
{
        const struct listener_options options = listener_set_options(pool);
        struct listener listener;

        int r = fd_store_open(reload->daemon->keeper, pool, address, &options, &listener, reload->problems);
        if (r == 0)
                return listener_set_open(opened, pool, address, reload->problems);
        if (r > 0 && (r = listener_set_add(opened, address->text, &listener)) < 0)
                listener_close(&listener);
        return r;
}

static int prepare_step(struct reload *reload, const struct reload_step *step, struct preparation *prepared)
{
        struct pool *running = step->old_pool ? pool_table_find(&reload->daemon->pools, step->old_pool->name) : NULL;
        size_t listeners = 0, moving = 0;
        int r = 0;

        if (step->verb != RELOAD_ADD && step->verb != RELOAD_REBIND)
                return 0;
        for (size_t i = 0; i < step->new_pool->listen.count; i++) {
                const struct listen_address *address = &step->new_pool->listen.items[i];
                listeners++;
                if (running && listener_set_find(&running->listeners, address->text))
                        continue;
                if (listener_moves_find(reload->daemon, running, address)) {
                        moving++;
                        continue;
                }
                int opened = open_listener(reload, step->new_pool, address, &prepared->opened);
                r = r < 0 ? r : opened;
        }
        if (r == 0 && step->verb == RELOAD_ADD) {
                r = pool_new(&reload->daemon->pool_runtime, step->new_pool, &prepared->pool);
                running = prepared->pool;
                if (r < 0)
                        problem_add(reload->problems, NULL, 0, "pool %s: %s", step->new_pool->name, strerror(-r));
        }
        /* Phase two only moves listeners between sets, into room that is made here. */
        if (r == 0)
                r = listener_set_reserve(&prepared->opened, moving);
        if (r == 0)
                r = listener_set_reserve(&running->listeners, listeners + running->closing.count);
        if (r == 0)
                r = listener_set_reserve(&running->closing, listeners + running->listeners.count);
        return r;
}

static int prepare(struct reload *reload)
{
        struct daemon *daemon = reload->daemon;

        int r = reload_diff(reload->running, reload->config, &reload->plan, reload->problems);
        if (r < 0 || problem_list_refuses(reload->problems))
                return r < 0 ? r : -EINVAL;
        reload->prepared = calloc(reload->plan.count + 1, sizeof(*reload->prepared));
        if (!reload->prepared || pool_table_reserve(&daemon->pools, reload->plan.count) < 0)
                return -ENOMEM;
        fd_store_check_unused(daemon->keeper, reload->config, !daemon->config, reload->problems);
        r = problem_list_refuses(reload->problems) ? -EINVAL : fd_budget_raise(daemon, reload->config, reload->problems);
        if (r == 0)
                r = prepare_log(reload);
        if (r == 0)
                r = control_prepare(daemon->control, &reload->config->master, &reload->control, reload->problems);
        for (size_t i = 0; i < reload->plan.count; i++) {
                int step = prepare_step(reload, &reload->plan.steps[i], &reload->prepared[i]);
                r = r < 0 ? r : step;
        }
        return r;
}

static void undo(struct reload *reload)
{
        for (size_t i = 0; reload->prepared && i < reload->plan.count; i++) {
                listener_set_close(&reload->prepared[i].opened);
                pool_free(reload->prepared[i].pool);
        }
        control_undo(reload->daemon->control, &reload->control);
        log_sink_close(reload->log_sink);
        config_clear(reload->config);
        free(reload->config);
}

static void announce_listener(const struct pool *pool, const struct pool_listener *item)
{
        const struct log_fields fields = {.pool = pool->name};
        unsigned effective = item->listener.effective_backlog;

        if (item->listener.tie == LISTENER_ACTIVATED) { /* what its unit asked for holds */
                char address[ADDRESS_TEXT_MAX];
                address_format(&item->listener.address, address, sizeof(address));
                log_emit(LOG_INFO, &fields, "listening on %s (%s), backlog %u", item->name, address, effective);
        } else if (effective < pool->config->backlog)
                log_emit(LOG_NOTICE, &fields, "listening on %s, backlog %u (asked for %llu; net.core.somaxconn cuts it)",
                         item->name, effective, (unsigned long long)pool->config->backlog);
        else
                log_emit(LOG_INFO, &fields, "listening on %s, backlog %u", item->name, effective);
}

static void take_into_service(struct pool *pool, struct listener_set *opened)
{
        while (opened->count > 0) {
                struct pool_listener *item = listener_set_move(opened, &opened->items[0], &pool->listeners);
                item->since_generation = pool->generation;
                announce_listener(pool, item);
        }
        listener_set_close(opened);
}

static bool is_listed(const struct pool_config *config, const char *name)
{
        for (size_t i = 0; i < config->listen.count; i++)
                if (text_equal(config->listen.items[i].text, name))
                        return true;
        return false;
}

/* Exchange the listeners: those that are not wanted any more drain, the new ones are taken into service. */
static void rebind(const struct daemon *daemon, struct pool *pool, struct listener_set *opened)
{
        for (size_t i = pool->listeners.count; i-- > 0;)
                if (!is_listed(pool->config, pool->listeners.items[i].name))
                        pool_close_listener(pool, &pool->listeners.items[i], pool->generation - 1);
        listener_moves_take_back(daemon, pool);
        take_into_service(pool, opened);
}

/* Options of open listeners; a failure leaves the old value and is worth a warning, not the reload. */
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
                        announce_listener(pool, item);
        }
}

static void carry_out(struct reload *reload, struct reload_step *step, struct preparation *prepared)
{
        struct daemon *daemon = reload->daemon;
        _cleanup_(text_clear) struct text changes = {0};
        struct pool *pool = step->old_pool ? pool_table_find(&daemon->pools, step->old_pool->name) : prepared->pool;

        reload_step_describe(step, &changes);
        switch (step->verb) {
        case RELOAD_ADD:
                listener_moves_take_back(daemon, pool);
                take_into_service(pool, &prepared->opened);
                adjust_listeners(pool);
                pool_table_add(&daemon->pools, pool);
                pool_start(pool);
                break;
        case RELOAD_DRAIN:
                pool_drain(pool, config_take_pool(daemon->config, pool->name), "removed from the configuration");
                break;
        case RELOAD_ROLL:
        case RELOAD_REBIND:
                pool->config = step->new_pool;
                pool_begin_generation(pool);
                if (step->verb == RELOAD_REBIND)
                        rebind(daemon, pool, &prepared->opened);
                adjust_listeners(pool);
                pool_record(pool, LOG_INFO, "generation %llu (%s changed)", (unsigned long long)pool->generation,
                            text_string(&changes));
                pool_apply_config(pool);
                break;
        case RELOAD_LIMITS:
                pool->config = step->new_pool;
                adjust_listeners(pool);
                pool_record(pool, LOG_INFO, "new limits (%s changed)", text_string(&changes));
                pool_apply_config(pool);
                break;
        case RELOAD_KEEP:
                pool->config = step->new_pool;
                pool_apply_config(pool);
                break;
        case RELOAD_VERB_COUNT:
                break;
        }
}

/* Whatever is in service outlives us from now on. */
static void store_listeners(const struct daemon *daemon)
{
        for (size_t p = 0; p < daemon->pools.count; p++)
                for (size_t i = 0; i < daemon->pools.items[p]->listeners.count; i++) {
                        struct pool_listener *item = &daemon->pools.items[p]->listeners.items[i];
                        fd_store_store(daemon->keeper, item->name, &item->listener);
                }
}

/* What goes from one running pool to another: before it is closed, and at once for all of them, because two pools may
 * exchange theirs. */
static void move_listeners(struct reload *reload)
{
        for (size_t i = 0; i < reload->plan.count; i++) {
                const struct reload_step *step = &reload->plan.steps[i];
                struct pool *pool = step->old_pool ? pool_table_find(&reload->daemon->pools, step->old_pool->name) : NULL;
                if (step->verb == RELOAD_ADD || step->verb == RELOAD_REBIND)
                        listener_moves_collect(reload->daemon, pool, step->new_pool, &reload->prepared[i].opened);
        }
}

/* Phase two. Nothing here allocates what it cannot do without, or asks the system for anything it may refuse. */
static void swap(struct reload *reload)
{
        struct daemon *daemon = reload->daemon;
        struct log_sink_state *old_sink = NULL;

        if (reload->log_sink) {
                old_sink = daemon->log_sink;
                if (old_sink)
                        log_sink_adopt(reload->log_sink, old_sink);
                daemon->log_sink = reload->log_sink;
        }
        const struct log_sink sink = log_sink_get(daemon->log_sink);
        log_set_sink(&sink, reload->config->master.log_level);
        log_sink_close(old_sink);
        control_commit(daemon->control, &reload->config->master, &reload->control);
        move_listeners(reload);
        for (size_t i = 0; i < reload->plan.count; i++)
                carry_out(reload, &reload->plan.steps[i], &reload->prepared[i]);
        store_listeners(daemon);
        if (daemon->config) {
                config_clear(daemon->config);
                free(daemon->config);
        }
        daemon->config = reload->config;
        daemon->pool_runtime.orphan_timeout_ms = daemon->config->master.shutdown_timeout_ms;
        daemon->config_serial++;
}

static int replace(struct daemon *daemon, const struct config *running, struct config *config,
                   struct problem_list *problems, struct reload_changes *changes)
{
        struct reload reload = {.daemon = daemon, .running = running, .config = config, .problems = problems};

        int r = prepare(&reload);
        if (r == 0 && changes)
                r = reload_changes_of(&reload.plan, daemon->config ? &daemon->config->master : NULL, &config->master,
                                      changes);
        if (r == -ENOMEM)
                problem_add(problems, NULL, 0, "out of memory");
        if (r < 0)
                undo(&reload);
        else
                swap(&reload);
        reload_plan_clear(&reload.plan);
        free(reload.prepared);
        return r;
}

int reload_apply(struct daemon *daemon, struct config *config, struct problem_list *problems,
                 struct reload_changes *changes)
{
        _cleanup_(effective_config_clear) struct config running = {0};

        if (effective_config(daemon, &running) == 0)
                return replace(daemon, &running, config, problems, changes);
        problem_add(problems, NULL, 0, "out of memory");
        config_clear(config);
        free(config);
        return -ENOMEM;
}

int reload_scale(struct daemon *daemon, const struct pool *pool, struct config *config, struct problem_list *problems)
{
        size_t count = daemon->pools.count; /* no pool comes or goes */
        _cleanup_(freep) int *shifts = calloc(count + 1, sizeof(*shifts));

        if (!shifts) {
                config_clear(config);
                free(config);
                return -ENOMEM;
        }
        for (size_t i = 0; i < count; i++)
                shifts[i] = daemon->pools.items[i]->max_workers_shift;
        int r = replace(daemon, daemon->config, config, problems, NULL); /* in which the others have not changed */
        for (size_t i = 0; i < count && r == 0; i++)
                if (daemon->pools.items[i] != pool)
                        daemon->pools.items[i]->max_workers_shift = shifts[i];
        return r;
}
