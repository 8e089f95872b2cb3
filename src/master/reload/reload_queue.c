#include "master/reload/reload_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/config/config_options.h"
#include "master/reload/reload.h"
#include "master/reload/reload_check.h"

#define FAILURE_BYTES 160

int reload_queue_new(const struct reload *reload, const struct config_child_setup *setup,
                     const struct reload_observer *observer, struct reload_queue **ret)
{
        *ret = calloc(1, sizeof(**ret));
        if (!*ret)
                return -ENOMEM;
        **ret = (struct reload_queue){.reload = reload, .setup = *setup, .observer = *observer};
        return 0;
}

static void tell(struct reload_queue *queue, const struct reload_outcome *outcome)
{
        queue->observer.ended(queue->observer.context, outcome);
}

static void drop(struct config *config)
{
        config_clear(config);
        free(config);
}

/* Refuse a configuration without a pool: add a problem, free it and return NULL. (At the start the outcome reports it:
 * see take_first().) */
static struct config *refuse_empty(struct config *config, struct problem_list *problems)
{
        if (!config || config->pool_count > 0)
                return config;
        problem_add(problems, NULL, 0, "the configuration has no pool; to stop, send SIGTERM");
        drop(config);
        return NULL;
}

/* Apply the first configuration. If it is refused, the daemon ends. */
static void take_first(struct reload_queue *queue, struct config *config, struct problem_list *problems)
{
        struct reload_outcome outcome = {.kind = RELOAD_FIRST, .config = config, .problems = problems};
        bool is_empty = config && config->pool_count == 0;

        if (config && !is_empty) {
                outcome.error = reload_apply(queue->reload, config, problems, NULL);
                outcome.accepted = outcome.error == 0;
                outcome.config = outcome.accepted ? config : NULL;
        }
        log_problems(problems);
        tell(queue, &outcome);
        if (is_empty)
                drop(config);
}

static void take_next(struct reload_queue *queue, struct config *config, struct problem_list *problems)
{
        _cleanup_(reload_changes_clear) struct reload_changes changes = {0};
        struct reload_outcome outcome = {
                .kind = RELOAD_REPLACE, .load = queue->loads, .changes = &changes, .problems = problems};

        config = refuse_empty(config, problems);
        if (config)
                outcome.error = reload_apply(queue->reload, config, problems, &changes);
        outcome.accepted = config && outcome.error == 0;
        outcome.config = outcome.accepted ? config : NULL;
        log_problems(problems);
        tell(queue, &outcome);
}

static void check(struct reload_queue *queue, struct config *config, struct problem_list *problems)
{
        _cleanup_(reload_changes_clear) struct reload_changes changes = {0};
        struct reload_outcome outcome = {
                .kind = RELOAD_DRY_RUN, .load = queue->loads, .changes = &changes, .problems = problems};

        config = refuse_empty(config, problems);
        if (config) {
                reload_check(queue->reload, config, problems, &changes);
                outcome.accepted = !problem_list_refuses(problems);
                drop(config);
        }
        tell(queue, &outcome);
}

static void on_config(void *context, struct config *config, struct problem_list *problems)
{
        static void (*const takers[])(struct reload_queue * queue, struct config * config,
                                      struct problem_list * problems) = {
                [RELOAD_FIRST] = take_first, [RELOAD_REPLACE] = take_next, [RELOAD_DRY_RUN] = check};
        struct reload_queue *queue = context;

        queue->child = NULL;
        if (!problems) /* cancelled */
                return;
        takers[queue->kind](queue, config, problems);
        reload_queue_again(queue);
}

/* What could not be done, and why, is logged and written to `failure`. */
static int start(struct reload_queue *queue, enum reload_kind kind, char failure[FAILURE_BYTES])
{
        int r = config_child_start(&queue->setup, on_config, queue, &queue->child);

        if (r == 0)
                queue->kind = kind;
        else {
                snprintf(failure, FAILURE_BYTES, "cannot start reading the configuration: %s", strerror(-r));
                log_error("%s", failure);
        }
        return r;
}

static void start_or_tell(struct reload_queue *queue, enum reload_kind kind)
{
        static const struct problem_list none;
        char failure[FAILURE_BYTES];

        int r = start(queue, kind, failure);
        if (r == 0)
                queue->loads++;
        else
                tell(queue,
                     &(struct reload_outcome){.kind = kind, .load = UINT64_MAX, .problems = &none, .failure = failure});
}

int reload_queue_first(struct reload_queue *queue)
{
        char failure[FAILURE_BYTES];

        return start(queue, RELOAD_FIRST, failure);
}

void reload_queue_reload(struct reload_queue *queue)
{
        if (queue->is_closed) {
                log_notice("not reloading: stopping");
                return;
        }
        queue->reload_again = queue->child != NULL; /* the configuration being read may be older than this request */
        if (queue->child)
                return;
        queue->observer.begun(queue->observer.context);
        start_or_tell(queue, RELOAD_REPLACE);
}

void reload_queue_try(struct reload_queue *queue)
{
        queue->try_again = queue->child != NULL;
        if (!queue->child && !queue->is_closed)
                start_or_tell(queue, RELOAD_DRY_RUN);
}

void reload_queue_again(struct reload_queue *queue)
{
        if (queue->is_closed)
                return;
        queue->observer.idle(queue->observer.context);
        if (queue->reload_again)
                reload_queue_reload(queue);
        if (queue->try_again)
                reload_queue_try(queue);
}

bool reload_queue_is_busy(const struct reload_queue *queue)
{
        return queue->child != NULL;
}

void reload_queue_close(struct reload_queue *queue)
{
        queue->is_closed = true;
        config_child_cancel(queue->child);
}

void reload_queue_free(struct reload_queue *queue)
{
        if (!queue)
                return;
        config_child_free(queue->child);
        free(queue);
}
