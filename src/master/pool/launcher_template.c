#include "master/pool/launcher_template.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/saturating.h"
#include "logic/protocol/worker_plan.h"
#include "master/loop/evloop.h"
#include "master/pool/health.h"
#include "master/pool/launcher.h"
#include "master/pool/launcher_ops.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/pool_fallback.h"
#include "master/pool/tallies.h"
#include "master/pool/template.h"
#include "master/pool/template_heir.h"
#include "master/pool/template_launch.h"
#include "master/pool/template_report.h"
#include "master/pool/worker.h"
#include "os/clock.h"
#include "os/log/pipe_reader.h"

#define IN_FLIGHT_MAX 16    /* orders that a template has not answered */
#define RENEW_AFTER_MS 1000 /* from the start of one template to that of the next of its generation */
#define AGAIN_MS 50         /* after an order that could not be sent, or a search that had to wait */

static int answer(struct pool *pool, struct template_launch *launch, pid_t pid, int error)
{
        struct worker *worker = launch->worker;

        template_launch_remove(&pool->templates.launches, launch);
        return launcher_answer(worker, pid, error);
}

/* Of those that were ordered to that template (NULL: to none yet), cancel all, or those whose worker is not wanted. */
static void cancel_launches(struct pool *pool, const struct template *template, bool all)
{
        struct template_launch *next;

        for (struct template_launch *launch = pool->templates.launches; launch; launch = next) {
                next = launch->next;
                if (launch->template == template && (all || !worker_life_is_open(&launch->worker->life)))
                        answer(pool, launch, 0, -ECANCELED);
        }
}

/* The template that makes workers of the present generation; NULL: there is none. */
static struct template *present(const struct pool *pool)
{
        struct template *template = pool->templates.first;

        return template && template->state != TEMPLATE_ENDING && template->generation == pool->generation ? template
                                                                                                          : NULL;
}

/* A handler that accepts itself knows how many addresses it has from its start on. */
static bool has_places(const struct pool *pool, const struct template *template, const struct template_launch *launch)
{
        return pool->config->handler_type != HANDLER_LISTENER ||
               listener_set_list_live(worker_listeners(launch->worker), NULL, SIZE_MAX) == template->listeners;
}

/* What a template has from the pool; its callbacks send orders again. */
static struct template_setup setup_of(struct pool *pool);

static int send_order(const struct pool *pool, struct template *template, const struct template_launch *launch)
{
        _cleanup_(fd_closep) int reader_fd = pipe_reader_open(launch->fds[TEMPLATE_FD_LOG]);
        const struct listener_set *listeners = worker_listeners(launch->worker);
        struct template_order order = {
                .launch = launch->number, .slot = launch->worker->slot, .heir_after = pool->config->snapshot_after};
        int fds[TEMPLATE_FDS_MAX];
        size_t count = 0;

        for (unsigned i = 0; i < TEMPLATE_FD_COUNT; i++) {
                int fd = i == TEMPLATE_FD_BOARD      ? launch->worker->board->fd
                         : i == TEMPLATE_FD_WAKE     ? pool->wake.write_fd
                         : i == TEMPLATE_FD_LOG_READ ? reader_fd
                                                     : launch->fds[i];
                if (fd < 0)
                        continue;
                fds[count++] = fd;
                order.has |= 1U << i;
        }
        order.listeners = (uint32_t)listener_set_list_live(listeners, fds + count, TEMPLATE_LISTENERS_MAX);
        return template_order(template, &order, fds, count + order.listeners);
}

static void look_again(struct pool *pool, uint64_t at_ms)
{
        if (pool->templates.timer)
                evloop_timer_set(pool->templates.timer, at_ms);
}

/* Send what may be sent. */
static void send_orders(struct pool *pool)
{
        struct template *template = present(pool);

        if (!template || template->state != TEMPLATE_READY || pool->runtime->templates->held)
                return;
        for (struct template_launch *launch = pool->templates.launches; launch; launch = launch->next) {
                if (launch->template)
                        continue;
                if (template->in_flight >= IN_FLIGHT_MAX)
                        return;
                if (!has_places(pool, template, launch)) {
                        if (template->in_flight == 0)
                                template_end(template, TEMPLATE_END_ORDERED);
                        return;
                }
                struct template_setup heirs = setup_of(pool);
                heirs.listener_count = template->listeners;
                template_heir_expect(pool, &heirs, template, launch);
                if (send_order(pool, template, launch) < 0) {
                        template_heir_launched(pool, launch->number, 0);
                        fd_closep(&launch->fds[TEMPLATE_FD_HEIR]); /* the next attempt has another */
                        look_again(pool, clock_now_ms() + AGAIN_MS);
                        return;
                }
                launch->template = template;
                fd_closep(&launch->fds[TEMPLATE_FD_LOG_SOCKET]);
                fd_closep(&launch->fds[TEMPLATE_FD_HEIR]);
        }
}

static void begin(struct pool *pool, struct template *template)
{
        template->next = pool->templates.first;
        pool->templates.first = template;
        pool->templates.uid = template->uid;
        pool->templates.crashes = tallies_totals(pool).handler_crashes;
        if (pool->templates.born == 0)
                pool->templates.born = template->born;
}

static void on_ready(void *context, struct template *template)
{
        struct pool *pool = context;

        if (template->is_heir)
                begin(pool, template);
        pool->templates.proven = template->generation;
        template_report_ready(pool, template);
        health_note_launch(pool);
        send_orders(pool);
}

/* Nobody else makes children of the master with the pool's user while no order is in flight, in any pool. Those that
 * former templates have made are found, too. */
static void look_for_strangers(struct pool *pool)
{
        struct template *template = present(pool);

        if (!pool->templates.suspects)
                return;
        if (pool->runtime->templates->in_flight >
            0) { /* another pool's may be the last, and touches its own pool alone */
                look_again(pool, clock_now_ms() + AGAIN_MS);
                return;
        }
        pool->templates.suspects = false;
        unsigned count = template_kill_strangers(pool->runtime, pool->templates.uid, pool->templates.born);
        if (count == 0)
                return;
        template_report_strangers(pool, count);
        if (template)
                template_end(template, TEMPLATE_END_LIED);
}

static int on_answer(void *context, struct template *template, uint32_t number, pid_t pid, int error)
{
        struct pool *pool = context;
        struct template_launch *launch = template_launch_find(pool->templates.launches, template, number);

        if (!launch)
                return -ESRCH;
        int r = answer(pool, launch, pid, error);
        template_heir_launched(pool, number, r < 0 || error < 0 ? 0 : pid);
        send_orders(pool);
        pool->templates.suspects = true; /* of the next turn, when this answer is counted */
        return r < 0 && error == 0 ? -ECHILD : 0;
}

/* Before it was ready, or by lying, it is the pool that fails, and backs off. */
static bool is_failure(const struct template *template)
{
        switch (template->end) {
        case TEMPLATE_END_EXITED:
                return !template->was_ready &&
                       !(WIFSIGNALED(template->status) && WTERMSIG(template->status) == SIGKILL);
        case TEMPLATE_END_FAILED:
        case TEMPLATE_END_LATE:
        case TEMPLATE_END_LIED:
                return true;
        default:
                return false;
        }
}

static void on_ending(void *context, struct template *template)
{
        struct pool *pool = context;
        uint64_t now_ms = clock_now_ms();
        unsigned cause = is_failure(template) ? pool_fallback_cause(pool, template) : 0;

        template_report_end(pool, template, cause != 0);
        if (template->end == TEMPLATE_END_ORDERED || template->end == TEMPLATE_END_RENEWED)
                return;
        if (cause != 0) {
                pool_fallback_give_up(pool, cause);
                cancel_launches(pool, NULL, true);
                return;
        }
        pool->templates.not_before_ms = MAX_OF(now_ms, saturated_add(template->started_ms, RENEW_AFTER_MS));
        if (is_failure(template)) {
                health_note_failure(pool);
                cancel_launches(pool, NULL, true);
        }
        look_again(pool, pool->templates.not_before_ms);
        pool_touch(pool);
}

static void on_gone(void *context, struct template *template)
{
        struct pool *pool = context;
        struct template **link = &pool->templates.first;

        if (template->is_heir)
                pool_counters_inherit_program(pool, &template->usage);
        cancel_launches(pool, template, true);
        while (*link != template)
                link = &(*link)->next;
        *link = template->next;
        template_free(template);
        pool->templates.suspects = true;
        pool_touch(pool);
}

static const struct listener_set *listeners_of(const struct pool *pool)
{
        const struct template_launch *launch = pool->templates.launches;

        if (launch)
                return worker_listeners(launch->worker);
        return pool->listeners.count > 0 ? &pool->listeners : &pool->closing;
}

static int family_of(const struct listener_set *set)
{
        return set->count > 0 ? set->items[0].listener.address.any.sa_family : AF_UNIX;
}

static struct template_setup setup_of(struct pool *pool)
{
        return (struct template_setup){.runtime = pool->runtime,
                                       .config = pool->config,
                                       .pool_name = pool->name,
                                       .generation = pool->generation,
                                       .host = {.context = pool,
                                                .ready = on_ready,
                                                .answered = on_answer,
                                                .ending = on_ending,
                                                .gone = on_gone}};
}

static int start_template(struct pool *pool)
{
        const struct listener_set *set = listeners_of(pool);
        int fds[TEMPLATE_LISTENERS_MAX];
        bool accepts = pool->config->handler_type == HANDLER_LISTENER;
        struct template_setup setup = setup_of(pool);
        struct template *template;

        setup.family = family_of(set);
        setup.listeners = fds;
        setup.listener_count = accepts ? listener_set_list_live(set, fds, ELEMENTS(fds)) : 0;
        int r = template_start(&setup, &template);
        if (r < 0)
                return r;
        begin(pool, template);
        template_report_start(pool, template);
        return 0;
}

/* Whoever makes copies crash to guess their layout gets another one in new workers. */
static void renew_after_crash(struct pool *pool)
{
        struct template *template = present(pool);

        if (!template || template->state != TEMPLATE_READY || template->in_flight > 0 ||
            tallies_totals(pool).handler_crashes <= pool->templates.crashes)
                return;
        if (clock_now_ms() >= saturated_add(template->started_ms, RENEW_AFTER_MS))
                template_end(template, TEMPLATE_END_RENEWED);
}

/* 0: there is one, or will be; -errno: it could not be started. */
static int require_template(struct pool *pool)
{
        uint64_t now_ms = clock_now_ms();

        renew_after_crash(pool);
        if (present(pool))
                return 0;
        if (pool->templates.first && pool->templates.first->generation != pool->generation)
                pool->templates.not_before_ms = 0; /* of a former generation */
        if (now_ms >= pool->templates.not_before_ms)
                return start_template(pool);
        look_again(pool, pool->templates.not_before_ms);
        return 0;
}

static void on_timer(void *context)
{
        launcher_template_tend(context);
}

static int launch(struct worker *worker, const struct worker_plan *plan, pid_t *ret_pid)
{
        struct pool *pool = worker->pool;

        (void)ret_pid;
        if (plan->listener_count > TEMPLATE_LISTENERS_MAX)
                return -E2BIG;
        int r = pool->templates.timer ? 0
                                      : evloop_timer_new(pool->runtime->loop, on_timer, pool, &pool->templates.timer);
        if (r == 0)
                r = require_template(pool);
        if (r == 0)
                r = template_launch_add(&pool->templates.launches, worker, plan, ++pool->templates.last_launch);
        if (r < 0)
                return r;
        pool->templates.wanted = true;
        look_again(pool, 0);
        return -EINPROGRESS;
}

const struct launcher_ops launcher_template = {.launch = launch};

static void end_former(struct pool *pool, bool all)
{
        struct template *next;

        for (struct template *template = pool->templates.first; template; template = next) {
                next = template->next;
                bool is_former = template->generation != pool->generation && template->in_flight == 0;
                if (all || is_former)
                        template_end(template, TEMPLATE_END_ORDERED);
        }
}

/* The pool may need workers, of a template. */
static bool is_needed(const struct pool *pool)
{
        return pool->templates.wanted && pool_config_has_template(pool->config) &&
               (pool->templates.launches || (pool->mode == POOL_OPEN && !health_is_backing_off(pool, clock_now_ms())));
}

void launcher_template_note_generation(const struct pool *pool)
{
        for (struct template_launch *launch = pool->templates.launches; launch; launch = launch->next)
                if (!launch->template && launch->worker->board == boards_present(&pool->boards))
                        launch->worker->generation = pool->generation;
}

void launcher_template_tend(struct pool *pool)
{
        bool is_over = pool->mode == POOL_ENDING ||
                       (pool->mode == POOL_CLOSING && pool->workers.count == 0 && pool->closing.count == 0) ||
                       !pool_config_has_template(pool->config);

        if (!pool->templates.wanted)
                return;
        look_for_strangers(pool);
        template_heir_tend(pool, is_over);
        cancel_launches(pool, NULL, is_over);
        end_former(pool, is_over);
        if (!is_over && is_needed(pool)) {
                int r = require_template(pool);
                if (r < 0) {
                        cancel_launches(pool, NULL, true);
                        health_note_launch_failure(pool, -r);
                }
        }
        send_orders(pool);
}

void launcher_template_leave(struct pool *pool)
{
        template_heir_tend(pool, true);
        end_former(pool, true);
        if (pool->templates.wanted)
                template_kill_strangers(pool->runtime, pool->templates.uid, pool->templates.born);
}
