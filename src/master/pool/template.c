#include "master/pool/template.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/saturating.h"
#include "logic/protocol/worker_plan.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/pool/plan_fork.h"
#include "master/pool/template_socket.h"
#include "master/pool/worker_output.h"
#include "os/clock.h"
#include "os/process/children.h"

#define WORDS_AT_ONCE 64
#define LAST_WORDS_MS 1000 /* from its end until nothing more is expected */

static const char *const state_names[] = {[TEMPLATE_STARTING] = "starting",
                                          [TEMPLATE_SERVING] = "serving",
                                          [TEMPLATE_READY] = "ready",
                                          [TEMPLATE_ENDING] = "ending"};
static_assert(ELEMENTS(state_names) == TEMPLATE_STATE_COUNT, "a state without a name");

const char *template_state_name(enum template_state state)
{
        return state_names[state];
}

static void set_deadline(const struct template *template, uint64_t after_ms)
{
        evloop_timer_set(template->timer, saturated_add(clock_now_ms(), after_ms));
}

/* With what it has started, unless it was of use: a helper of the handler may live on. */
static void kill_process(const struct template *template)
{
        static const bool of_use[] = {
                [TEMPLATE_END_ORDERED] = true, [TEMPLATE_END_STOPPED] = true, [TEMPLATE_END_COUNT] = false};
        struct reaper *reaper = template->runtime->reaper;

        if (template->reaped)
                return;
        if (!template->was_ready || !of_use[template->end])
                reaper_kill_group(reaper, template->pid, template, SIGKILL);
        reaper_kill(reaper, template->pid, template, SIGKILL);
}

static void enter(struct template *template, enum template_state state)
{
        template->state = state;
        template->since_ms = clock_now_ms();
}

void template_end(struct template *template, enum template_end why)
{
        if (template->state == TEMPLATE_ENDING)
                return;
        enter(template, TEMPLATE_ENDING);
        template->end = why;
        kill_process(template);
        set_deadline(template, LAST_WORDS_MS);
        template->host.ending(template->host.context, template);
}

/* Must be the last: it may be freed by it. */
static void conclude(struct template *template)
{
        if (template->declines) {
                template->host.declined(template->host.context, template, template->refused);
                return;
        }
        if (template->reaped && (template->shut || template->over || template->in_flight == 0))
                template->host.gone(template->host.context, template);
}

static void note_ready(struct template *template)
{
        enter(template, TEMPLATE_READY);
        template->was_ready = true;
        evloop_timer_unset(template->timer);
        template->host.ready(template->host.context, template);
}

static void take_answer(struct template *template, const struct template_word *word, const struct ucred *sender)
{
        bool launched = word->said == TEMPLATE_LAUNCHED;
        int error = launched ? 0 : word->error > 0 && word->error < 4096 ? -(int)word->error : -EINVAL;

        if (launched && sender->uid != template->uid) {
                template_end(template, TEMPLATE_END_LIED);
                return;
        }
        int r = template->host.answered(template->host.context, template, word->launch, launched ? sender->pid : 0,
                                        error);
        if (r != -ESRCH) {
                template->in_flight--;
                template->runtime->templates->in_flight--;
        }
        if (r < 0)
                template_end(template, TEMPLATE_END_LIED);
        if (template->state != TEMPLATE_READY)
                return;
        if (template->in_flight > 0)
                set_deadline(template, template->timeout_ms);
        else
                evloop_timer_unset(template->timer);
}

/* The worker's process is the handler's: nothing is believed but that it stops or refuses. */
static void take_heirs_word(struct template *template, const struct template_word *word, const struct ucred *sender)
{
        if (sender->pid != template->pid || word->said == TEMPLATE_LOADED)
                return;
        if (word->said != TEMPLATE_STOPPED || template->host.inherits(template->host.context, template) < 0) {
                template->declines = true;
                template->refused = word->said == TEMPLATE_FAILED;
                return;
        }
        template->loaded = true;
        note_ready(template);
}

static void take_word(struct template *template, const struct template_word *word, const struct ucred *sender)
{
        bool by_itself = sender->pid == template->pid, starting = template->state == TEMPLATE_STARTING;

        if (template->state == TEMPLATE_SERVING) {
                take_heirs_word(template, word, sender);
                return;
        }
        if (word->said == TEMPLATE_LAUNCHED || (word->said == TEMPLATE_NOT_LAUNCHED && by_itself))
                take_answer(template, word, sender);
        else if (template->state == TEMPLATE_ENDING)
                return;
        else if (word->said == TEMPLATE_LOADED && by_itself && starting && word->launch == TEMPLATE_VERSION)
                template->loaded = true;
        else if (word->said == TEMPLATE_STOPPED && by_itself && template->loaded && starting)
                note_ready(template);
        else if (word->said == TEMPLATE_FAILED && by_itself && starting) {
                template->stage = word->stage;
                template->error = word->error;
                template->refusal = word->launch;
                template_end(template, TEMPLATE_END_FAILED);
        } else
                template_end(template, TEMPLATE_END_LIED);
}

/* Nobody has the other end: it has ended, most likely, and its status follows. Or it has said
 * something that may still be there, so that nothing more can be heard. */
static void note_shut(struct template *template, bool lied)
{
        template->shut = true;
        evloop_watch_free(TAKE_PTR(template->watch));
        if (template->state == TEMPLATE_SERVING)
                template->declines = true; /* the worker has ended */
        else if (lied)
                template_end(template, TEMPLATE_END_LIED);
        else if (template->state != TEMPLATE_ENDING)
                set_deadline(template, LAST_WORDS_MS);
}

static void take_words(struct template *template)
{
        struct template_word word = {0};
        struct ucred sender = {0};

        for (unsigned i = 0; i < WORDS_AT_ONCE && !template->shut && !template->declines; i++) {
                int r = template_socket_receive(template->fd, &word, &sender);
                if (r == 0)
                        take_word(template, &word, &sender);
                else if (r == -EPIPE || r == -EPROTO)
                        note_shut(template, r == -EPROTO);
                else
                        break; /* nothing is there, or memory is short: the watch calls again */
        }
}

static void on_readable(void *context)
{
        take_words(context);
        conclude(context);
}

static void on_deadline(void *context)
{
        struct template *template = context;

        if (template->state == TEMPLATE_ENDING)
                template->over = true;
        else if (template->shut)
                template_end(template, TEMPLATE_END_SILENT);
        else
                template_end(template, template->state == TEMPLATE_STARTING ? TEMPLATE_END_LATE : TEMPLATE_END_SILENT);
        conclude(template);
}

static void on_exit_status(void *context, pid_t pid, int status, const struct rusage *usage)
{
        struct template *template = context;

        template->usage = *usage;
        template->reaped = true;
        template->status = status;
        worker_output_outlive(template->runtime->outputs, template->pool_name, pid, template->max_outlived);
        take_words(template); /* it may have said why */
        template_end(template, TEMPLATE_END_EXITED);
        conclude(template);
}

static void on_stop(void *context, bool stopped)
{
        if (stopped)
                template_end(context, TEMPLATE_END_STOPPED);
}

static int open_socket(struct template *template, int *ret_other)
{
        int r = template_socket_open(&template->fd, ret_other);

        return r < 0 ? r
                     : evloop_watch_new(template->runtime->loop, template->fd, on_readable, template, &template->watch);
}

static int fork_template(const struct template_setup *setup, struct template *template, int other_fd)
{
        const struct pool_runtime *runtime = setup->runtime;
        _cleanup_(fd_closep) int log_write_fd = -1;
        struct worker_output *output;

        int r = worker_output_open(runtime->outputs, setup->config, &output, &log_write_fd);
        if (r < 0)
                return r;
        const struct worker_plan plan = {
                .role = WORKER_ROLE_TEMPLATE,
                .pool = setup->config,
                .wake_fd = -1,
                .log_write_fd = log_write_fd,
                .log_socket_fd = -1,
                .status_fd = -1,
                .template_fd = other_fd,
                .family = setup->family,
                .listeners = setup->listeners,
                .listener_count = setup->listener_count,
                .master_pid = runtime->master_pid,
                .orphan_timeout_ms = runtime->orphan_timeout_ms,
                .signals = runtime->signals,
                .original = runtime->original_limits,
        };
        r = plan_fork(&plan, runtime->worker_entry, &template->pid);
        if (r < 0)
                worker_output_cancel(output);
        else
                worker_output_begin(output, template->pid);
        return r;
}

/* The place in the reaper is reserved before there is a process. */
static int start(const struct template_setup *setup, struct template *template)
{
        struct reaper *reaper = setup->runtime->reaper;
        _cleanup_(fd_closep) int other_fd = -1;

        int r = evloop_timer_new(setup->runtime->loop, on_deadline, template, &template->timer);
        if (r == 0)
                r = open_socket(template, &other_fd);
        if (r == 0)
                r = reaper_begin_launch(reaper);
        if (r < 0)
                return r;
        r = fork_template(setup, template, other_fd);
        if (r == 0)
                r = reaper_add(reaper, template->pid, on_exit_status, template);
        reaper_end_launch(reaper);
        if (r < 0)
                return r;
        reaper_expect_stops(reaper, template->pid, on_stop);
        template->born = children_born(template->pid);
        set_deadline(template, template->timeout_ms);
        return 0;
}

static struct template *new_template(const struct template_setup *setup)
{
        const struct pool_config *config = setup->config;
        struct template *template = calloc(1, sizeof(*template));
        uint64_t now_ms = clock_now_ms();

        if (template)
                *template = (struct template){.host = setup->host,
                                              .runtime = setup->runtime,
                                              .pool_name = setup->pool_name,
                                              .max_outlived = config->max_workers,
                                              .generation = setup->generation,
                                              .started_ms = now_ms,
                                              .since_ms = now_ms,
                                              .timeout_ms = config->start_timeout_ms,
                                              .uid = config->user.name ? config->user.id : getuid(),
                                              .listeners = setup->listener_count,
                                              .fd = -1};
        return template;
}

int template_start(const struct template_setup *setup, struct template **ret)
{
        struct template *template = new_template(setup);

        if (!template)
                return -ENOMEM;
        int r = start(setup, template);
        if (r < 0) {
                template_free(template);
                return r;
        }
        *ret = template;
        return 0;
}

int template_expect(const struct template_setup *setup, int *ret_fd, struct template **ret)
{
        struct template *template = new_template(setup);

        if (!template)
                return -ENOMEM;
        template->state = TEMPLATE_SERVING;
        template->is_heir = true;
        *ret_fd = -1;
        int r = evloop_timer_new(setup->runtime->loop, on_deadline, template, &template->timer);
        if (r == 0)
                r = open_socket(template, ret_fd);
        if (r < 0) {
                fd_closep(ret_fd);
                template_free(template);
                return r;
        }
        *ret = template;
        return 0;
}

int template_take(struct template *template, const void *worker, uint64_t generation)
{
        struct reaper *reaper = template->runtime->reaper;

        int r = reaper_move(reaper, template->pid, worker, on_exit_status, template);
        if (r < 0)
                return r;
        reaper_expect_stops(reaper, template->pid, on_stop);
        template->generation = generation;
        template->started_ms = clock_now_ms();
        template->born = children_born(template->pid);
        return 0;
}

int template_order(struct template *template, const struct template_order *order, const int *fds, size_t count)
{
        int r = template_socket_send(template->fd, order, fds, count);

        if (r < 0)
                return r;
        if (template->in_flight++ == 0)
                set_deadline(template, template->timeout_ms);
        template->runtime->templates->in_flight++;
        return 0;
}

void template_free(struct template *template)
{
        template->runtime->templates->in_flight -= template->in_flight;
        evloop_watch_free(template->watch);
        evloop_timer_free(template->timer);
        template_socket_close(&template->fd);
        free(template);
}

void templates_clear(struct templates *templates)
{
        if (templates->heir)
                template_free(TAKE_PTR(templates->heir));
        while (templates->first) {
                struct template *template = templates->first;
                templates->first = template->next;
                template_free(template);
        }
        evloop_timer_free(TAKE_PTR(templates->timer));
}

static bool is_known(const void *context, pid_t pid)
{
        return reaper_knows(context, pid);
}

unsigned template_kill_strangers(const struct pool_runtime *runtime, uid_t uid, uint64_t born)
{
        return born > 0 ? children_kill_strangers(uid, born, is_known, runtime->reaper) : 0;
}
