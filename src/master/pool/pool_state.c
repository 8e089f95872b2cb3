#include "master/pool/pool_state.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"
#include "master/config/config_reader.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"
#include "os/activation.h"

static const struct field pool_fields[] = {
        FIELD(struct pool, generation), FIELD(struct pool, draining), FIELD(struct pool, killing),
        FIELD(struct pool, paused), FIELD(struct pool, started), FIELD(struct pool, saturation_told),
        FIELD(struct pool, refused_before), FIELD(struct pool, max_workers_shift), FIELD(struct pool, requests_seen),
        FIELD(struct pool, roll_ready), FIELD(struct pool, fork_failing), FIELD(struct pool, scale.shrink_at_ms),
        FIELD(struct pool, scale.relief_at_ms), FIELD(struct pool, scale.saturated), FIELD(struct pool, backoff.failures),
        FIELD(struct pool, backoff.not_before_ms), FIELD(struct pool, backoff.shortest_ms),
        FIELD(struct pool, backoff.succeeded),
};

static const struct field total_fields[] = {
        FIELD(struct pool_totals, forked), FIELD(struct pool_totals, retired), FIELD(struct pool_totals, recycled),
        FIELD(struct pool_totals, died), FIELD(struct pool_totals, start_failures), FIELD(struct pool_totals, requests),
        FIELD(struct pool_totals, busy_ns), FIELD(struct pool_totals, handler_cpu_us),
        FIELD(struct pool_totals, handler_deaths), FIELD(struct pool_totals, refused),
        FIELD(struct pool_totals, saturations), FIELD(struct pool_totals, request_timeouts),
        FIELD(struct pool_totals, detached), FIELD_ARRAY(struct pool_totals, durations),
        FIELD_ARRAY(struct pool_totals, gone_requests), FIELD_ARRAY(struct pool_totals, gone_cpu_ms),
        FIELD(struct pool_totals, gone_count),
};

static const struct field listener_fields[] = {
        FIELD(struct set_listener, since_generation), FIELD(struct set_listener, drain_generation),
        FIELD(struct set_listener, closing_since_ms), FIELD(struct set_listener, drained_since_ms),
        FIELD(struct set_listener, drained_at), FIELD(struct set_listener, listener.device),
        FIELD(struct set_listener, listener.inode), FIELD(struct set_listener, listener.filtered),
        FIELD(struct set_listener, listener.effective_backlog),
};

static const struct field worker_fields[] = {
        FIELD(struct pool_worker, pid), FIELD(struct pool_worker, slot), FIELD(struct pool_worker, generation),
        FIELD(struct pool_worker, retired), FIELD(struct pool_worker, ended_by_us), FIELD(struct pool_worker, for_roll),
        FIELD(struct pool_worker, drains), FIELD(struct pool_worker, recycling), FIELD(struct pool_worker, let_go),
        FIELD(struct pool_worker, requests_at_fork), FIELD(struct pool_worker, forked_ms),
        FIELD(struct pool_worker, retired_ms), FIELD(struct pool_worker, escalated_ms),
        FIELD(struct pool_worker, escalated_request), FIELD(struct pool_worker, kill_at_ms),
};

static const struct field decision_fields[] = {FIELD(struct decision, time_ms)};

/* Words for what is an enum here: their numbers may change from one version to the next. */
static const char *const role_names[] = {[WORKER_ROLE_SERVE] = "serve", [WORKER_ROLE_REFUSE] = "refuse"};
static const char *const tie_names[] = {[LISTENER_OWN] = "own", [LISTENER_STORED] = "stored",
                                        [LISTENER_ACTIVATED] = "activated"};

/* Writing. */

static json_t *write_listener(const struct set_listener *item, struct document *document)
{
        json_t *object = document_fields(listener_fields, ELEMENTS(listener_fields), item);
        int r = document_set(object, "name", document_string(item->name));

        if (r == 0)
                r = document_set(object, "tie", document_string(tie_names[item->listener.tie]));
        if (r == 0)
                r = document_set(object, "fd", document_descriptor(document, item->listener.fd));
        if (r == 0 && item->listener.decoy_fd >= 0)
                r = document_set(object, "decoy", document_descriptor(document, item->listener.decoy_fd));
        return document_finish(object, r);
}

static json_t *write_listeners(const struct listener_set *set, struct document *document)
{
        json_t *array = json_array();
        int r = 0;

        for (size_t i = 0; r == 0 && i < set->count; i++)
                r = document_append(array, write_listener(&set->items[i], document));
        return document_finish(array, r);
}

static json_t *write_worker(const struct pool_worker *worker)
{
        json_t *object = document_fields(worker_fields, ELEMENTS(worker_fields), worker);
        int r = document_set(object, "role", document_string(role_names[worker->role]));

        if (r == 0)
                r = document_set(object, "state", document_string(worker_state_name(worker->state)));
        if (r == 0 && worker->replacement)
                r = document_set(object, "replacement", json_integer(worker->replacement->pid));
        return document_finish(object, r);
}

static json_t *write_workers(const struct pool *pool)
{
        json_t *array = json_array();
        int r = 0;

        for (const struct pool_worker *worker = pool->workers; r == 0 && worker; worker = worker->next)
                r = document_append(array, write_worker(worker));
        return document_finish(array, r);
}

static json_t *write_decision(const struct decision *decision)
{
        json_t *object = document_fields(decision_fields, ELEMENTS(decision_fields), decision);

        return document_finish(object, document_set(object, "text", document_string(decision->text)));
}

/* Oldest first, as they were made. */
static json_t *write_decisions(const struct decision_ring *ring)
{
        json_t *array = json_array();
        int r = 0;

        for (size_t age = decision_ring_length(ring); r == 0 && age-- > 0;)
                r = document_append(array, write_decision(decision_ring_at(ring, age)));
        return document_finish(array, r);
}

/* Pairs of a time and a number of requests, oldest first. */
static json_t *write_rate(const struct request_rate *rate)
{
        uint64_t kept = MIN_OF(rate->count, (uint64_t)REQUEST_RATE_SAMPLES);
        json_t *array = json_array();
        int r = 0;

        for (uint64_t at = rate->count - kept; r == 0 && at < rate->count; at++) {
                uint64_t time_ms = rate->samples[at % REQUEST_RATE_SAMPLES].time_ms;
                uint64_t requests = rate->samples[at % REQUEST_RATE_SAMPLES].requests;
                r = document_append(array, json_pack("[I, I]", (json_int_t)time_ms, (json_int_t)requests));
        }
        return document_finish(array, r);
}

/* A pool that drains has a configuration of its own. The rest of the present one is not its: the control socket may be
 * where it listened. */
static json_t *write_own_config(const struct pool *pool)
{
        struct pool_config *pools[] = {pool->own_config};
        struct config alone = {.master = pool->master->config->master, .pools = pools, .pool_count = 1};
        _cleanup_(text_clear) struct text text = {0};

        alone.master.control = NULL;
        return config_print(&alone, true, &text) == 0 ? document_string(text_string(&text)) : NULL;
}

json_t *handover_pool_write(const struct pool *pool, struct document *document)
{
        json_t *object = document_fields(pool_fields, ELEMENTS(pool_fields), pool);

        int r = document_set(object, "name", document_string(pool->name));
        if (r == 0 && pool->own_config)
                r = document_set(object, "config", write_own_config(pool));
        if (r == 0)
                r = document_set(object, "board", document_descriptor(document, pool->board_fd));
        if (r == 0)
                r = document_set(object, "wake", document_descriptor(document, pool->wake_fd));
        if (r == 0)
                r = document_set(object, "listeners", write_listeners(&pool->listeners, document));
        if (r == 0)
                r = document_set(object, "closing", write_listeners(&pool->closing, document));
        if (r == 0)
                r = document_set(object, "workers", write_workers(pool));
        if (r == 0)
                r = document_set(object, "totals", document_fields(total_fields, ELEMENTS(total_fields), &pool->totals));
        if (r == 0)
                r = document_set(object, "rate", write_rate(&pool->rate));
        if (r == 0)
                r = document_set(object, "decisions", write_decisions(&pool->decisions));
        return document_finish(object, r);
}

/* Reading. */

static int read_listener(struct document *document, const json_t *object, struct set_listener *item)
{
        struct listener *listener = &item->listener;
        unsigned tie;
        int r = document_read_string(document, object, "name", &item->name);

        if (r == 0)
                r = document_read_word(document, object, "tie", tie_names, ELEMENTS(tie_names), &tie);
        if (r == 0)
                r = document_read_fields(document, listener_fields, ELEMENTS(listener_fields), object, item);
        if (r == 0)
                r = document_take_descriptor(document, object, "fd", &listener->fd);
        if (r == 0 && json_object_get(object, "decoy"))
                r = document_take_descriptor(document, object, "decoy", &listener->decoy_fd);
        if (r < 0)
                return r;
        listener->tie = (enum listener_tie)tie;
        /* The name is the address, where it is not that of a socket unit, or of an interface that has gone. */
        if (address_parse(item->name, &listener->address) < 0 && activation_examine(listener->fd, &listener->address) < 0)
                return document_complain(document, "%s is no listening socket", item->name);
        return 0;
}

/* Closes nothing on failure: the sockets are in service. */
static int read_listeners(struct document *document, const json_t *array, struct listener_set *set)
{
        for (size_t i = 0; i < json_array_size(array); i++) {
                struct set_listener item = {.listener = {.fd = -1, .decoy_fd = -1}};
                int r = read_listener(document, json_array_get(array, i), &item);
                if (r == 0)
                        r = listener_set_reserve(set, 1);
                if (r < 0) {
                        free(item.name);
                        return r;
                }
                set->items[set->count++] = item;
        }
        return 0;
}

static int read_worker(struct document *document, const json_t *object, struct pool *pool)
{
        struct pool_worker worker = {0};
        const char *states[WORKER_STATE_COUNT];
        unsigned role, state;

        for (int i = 0; i < WORKER_STATE_COUNT; i++)
                states[i] = worker_state_name((enum worker_state)i);
        int r = document_read_fields(document, worker_fields, ELEMENTS(worker_fields), object, &worker);
        if (r == 0)
                r = document_read_word(document, object, "role", role_names, ELEMENTS(role_names), &role);
        if (r == 0)
                r = document_read_word(document, object, "state", states, ELEMENTS(states), &state);
        if (r < 0)
                return r;
        worker.role = (enum worker_role)role;
        worker.state = (enum worker_state)state;
        r = worker.pid > 1 ? pool_worker_adopt(pool, &worker) : -EINVAL;
        return r == -EINVAL ? document_complain(document, "worker %d in slot %u cannot be", worker.pid, worker.slot) : r;
}

static struct pool_worker *find_worker(const struct pool *pool, json_int_t pid)
{
        for (struct pool_worker *worker = pool->workers; worker; worker = worker->next)
                if (worker->pid == pid)
                        return worker;
        return NULL;
}

static int read_workers(struct document *document, const json_t *array, struct pool *pool)
{
        /* Each is put first. */
        for (size_t i = json_array_size(array); i-- > 0;) {
                int r = read_worker(document, json_array_get(array, i), pool);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *object = json_array_get(array, i);
                if (!json_object_get(object, "replacement"))
                        continue;
                struct pool_worker *worker = find_worker(pool, json_integer_value(json_object_get(object, "pid")));
                struct pool_worker *other = find_worker(pool, json_integer_value(json_object_get(object, "replacement")));
                if (worker && other && other != worker && !other->replaces) {
                        worker->replacement = other;
                        other->replaces = worker;
                }
        }
        return 0;
}

static int read_decisions(struct document *document, const json_t *array, struct decision_ring *ring)
{
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *object = json_array_get(array, i);
                _cleanup_(text_clear) struct text text = {0};
                struct decision decision = {0};
                int r = document_read_fields(document, decision_fields, ELEMENTS(decision_fields), object, &decision);
                if (r == 0)
                        r = document_read_bytes(document, object, "text", &text);
                if (r < 0)
                        return r;
                decision_ring_add(ring, decision.time_ms, "%s", text_string(&text));
        }
        return 0;
}

static void read_rate(const json_t *array, struct request_rate *rate)
{
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *pair = json_array_get(array, i);
                request_rate_note(rate, (uint64_t)json_integer_value(json_array_get(pair, 0)),
                                  (uint64_t)json_integer_value(json_array_get(pair, 1)));
        }
}

static int read_own_config(struct document *document, const json_t *object, const char *name, struct pool_config **ret)
{
        const struct config_facts facts = config_reader_facts();
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};
        struct config *config = NULL;

        int r = document_read_bytes(document, object, "config", &text);
        if (r == 0)
                r = config_from_canonical(text_string(&text), text.length, &facts, &config, &problems);
        if (r < 0)
                return r;
        if (!config)
                return document_complain_of(document, &problems);
        *ret = config_take_pool(config, name);
        config_clear(config);
        free(config);
        return *ret ? 0 : document_complain(document, "pool %s is not in its configuration", name);
}

/* The configuration comes first: everything else refers to it. */
static int open_pool(struct master *master, struct document *document, const json_t *object, struct pool **ret)
{
        _cleanup_(freep) char *name = NULL;
        struct pool_config *own_config = NULL;
        int board_fd = -1, wake_fd = -1;

        int r = document_read_string(document, object, "name", &name);
        if (r == 0 && json_object_get(object, "config"))
                r = read_own_config(document, object, name, &own_config);
        if (r < 0)
                return r;
        const struct pool_config *config = own_config ? own_config : config_find_pool(master->config, name);
        r = config ? document_take_descriptor(document, object, "board", &board_fd)
                   : document_complain(document, "pool %s has no configuration", name);
        if (r == 0)
                r = document_take_descriptor(document, object, "wake", &wake_fd);
        if (r == 0)
                r = pool_adopt(master, config, board_fd, wake_fd, ret);
        if (r == 0)
                (*ret)->own_config = own_config;
        return r == -EPROTO ? document_complain(document, "pool %s has a scoreboard of another version", name) : r;
}

int handover_pool_read(struct master *master, struct document *document, const json_t *object, struct pool **ret)
{
        struct pool *pool;

        int r = open_pool(master, document, object, &pool);
        if (r < 0)
                return r;
        r = document_read_fields(document, pool_fields, ELEMENTS(pool_fields), object, pool);
        if (r == 0)
                r = document_read_fields(document, total_fields, ELEMENTS(total_fields),
                                         document_object(object, "totals"), &pool->totals);
        if (r == 0)
                r = read_listeners(document, document_array(object, "listeners"), &pool->listeners);
        if (r == 0)
                r = read_listeners(document, document_array(object, "closing"), &pool->closing);
        /* Room for what pool_close_listener() moves. */
        if (r == 0)
                r = listener_set_reserve(&pool->closing, pool->listeners.count);
        if (r == 0)
                r = read_workers(document, document_array(object, "workers"), pool);
        if (r == 0)
                r = read_decisions(document, document_array(object, "decisions"), &pool->decisions);
        read_rate(document_array(object, "rate"), &pool->rate);
        if (r == 0)
                *ret = pool;
        return r;
}
