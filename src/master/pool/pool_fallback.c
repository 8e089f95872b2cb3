#include "master/pool/pool_fallback.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "lib/rollback_obstacle.h"
#include "lib/touch_refusal.h"
#include "logic/config/choice.h"
#include "master/pool/pool.h"
#include "master/pool/tallies.h"
#include "master/pool/worker.h"

/* Why a method was given up: touch_refusal_pack(), or one of these. Handed over in an upgrade: no number changes. */
enum start_cause {
        CAUSE_OWN = 64,
        CAUSE_NO_DISPATCH = CAUSE_OWN,
        CAUSE_NOT_LOADED,
        CAUSE_ENDED,
        CAUSE_LATE,
        CAUSE_REFUSED, /* for a reason that it has not named */
};
static_assert((int)TOUCH_REFUSALS <= (int)CAUSE_OWN, "the numbers are not used twice");

/* Why copies by rollback were given up: enum rollback_obstacle, perhaps with this. */
#define CAUSE_OFTEN 256U

static const enum pool_option options[] = {POOL_START_METHOD, POOL_COPY};
static_assert(ELEMENTS(options) == ELEMENTS(((struct pool *)NULL)->fallback_told), "a text for each");

/* Where it was to stop by the method that was given up. */
enum stop { STOP_MAIN, STOP_TOUCH, STOP_WAIT };

static enum stop former_stop(const struct pool_config *config)
{
        if (config->handler_type == HANDLER_LISTENER)
                return STOP_WAIT;
        return pool_config_start_method(config) == START_FORKSERVER ? STOP_TOUCH : STOP_MAIN;
}

/* As a clause. */
static int append_start_cause(unsigned cause, enum stop stop, struct text *text)
{
        static const char *const ended[] = {[STOP_MAIN] = "it ends before its main()",
                                            [STOP_TOUCH] = "it ends before it touches its connection",
                                            [STOP_WAIT] = "it ends before it waits for a connection"};
        static const char *const late[] = {[STOP_MAIN] = "it does not get to its main() within start_timeout",
                                           [STOP_TOUCH] = "it does not touch its connection within start_timeout",
                                           [STOP_WAIT] = "it does not wait for a connection within start_timeout"};

        char buffer[TOUCH_REFUSAL_BYTES];

        switch (cause) {
        case CAUSE_NO_DISPATCH:
                return text_append(text, "the kernel does not let its system calls be watched");
        case CAUSE_NOT_LOADED:
                return text_append(text, "preforkd's object is not loaded into it");
        case CAUSE_ENDED:
                return text_append(text, ended[stop]);
        case CAUSE_LATE:
                return text_append(text, late[stop]);
        case CAUSE_REFUSED:
                return text_append(text, "it cannot be copied");
        default:
                return text_append(text, touch_refusal_describe(cause, buffer));
        }
}

static unsigned cause_of_failure(const struct template *template)
{
        enum touch_refusal refusal;

        if (template->stage != PREFORK_STAGE_HANDLER)
                return 0; /* it would fail by any method */
        switch (template->error) {
        case EOPNOTSUPP:
                refusal = touch_refusal_unpack(template->refusal);
                return refusal > TOUCH_FINE && refusal < TOUCH_REFUSALS ? template->refusal : CAUSE_REFUSED;
        case EINVAL: /* of prctl(2) */
        case ENOSYS:
        case EPERM:
                return CAUSE_NO_DISPATCH;
        default:
                return 0;
        }
}

/* A handler that ends, or goes on without a stop, may serve when it is executed: it may need to know its client. One
 * that has stopped before does not. */
static unsigned cause_of_absence(const struct pool *pool, const struct template *template)
{
        if (pool->templates.proven == template->generation)
                return 0;
        if (!template->loaded)
                return CAUSE_NOT_LOADED;
        return template->end == TEMPLATE_END_LATE ? CAUSE_LATE : CAUSE_ENDED;
}

unsigned pool_fallback_cause(const struct pool *pool, const struct template *template)
{
        struct fallback after = pool->fallback;
        unsigned cause = 0;

        if (template->end == TEMPLATE_END_FAILED)
                cause = cause_of_failure(template);
        else if (template->end == TEMPLATE_END_EXITED || template->end == TEMPLATE_END_LATE)
                cause = cause_of_absence(pool, template);
        bool may = pool->mode == POOL_OPEN && template->generation == pool->generation && !template->is_heir;
        return cause != 0 && may && fallback_start_method(&after, pool->config, cause) ? cause : 0;
}

int pool_fallback_reason(const struct template *template, struct text *text)
{
        unsigned cause = cause_of_failure(template);

        return cause != 0 && cause != CAUSE_REFUSED ? append_start_cause(cause, STOP_MAIN, text) : 0;
}

static int append_copy_cause(unsigned cause, struct text *text)
{
        return text_appendf(text, "%s%s", cause & CAUSE_OFTEN ? "its workers end too often: " : "",
                            rollback_obstacle_text((enum rollback_obstacle)(cause & ~CAUSE_OFTEN)));
}

int pool_fallback_why(const struct pool *pool, enum pool_option option, struct text *text)
{
        const struct fallback *fallback = &pool->fallback;
        const char *chosen = choice_why(pool->config, option);

        if (option == POOL_START_METHOD && pool->config->start_method == START_AUTO && fallback->start_cause != 0)
                return append_start_cause(fallback->start_cause, former_stop(pool->config), text);
        if (option == POOL_COPY && pool->config->copy == COPY_AUTO && fallback->copy_cause != 0)
                return append_copy_cause(fallback->copy_cause, text);
        return chosen ? text_append(text, chosen) : 0;
}

/* "start_method = auto means snapshot"; "": it is not auto. */
static void describe(const struct pool *pool, enum pool_option option, char *text, size_t size)
{
        const struct pool_config *config = pool->config;
        _cleanup_(text_clear) struct text why = {0}, words = {0};

        text[0] = '\0';
        if (!choice_is_made(config, option) || !pool_config_uses(config, option) ||
            pool_fallback_why(pool, option, &why) < 0)
                return;
        if (choice_describe(config, option, why.length > 0 ? text_string(&why) : NULL, &words) == 0)
                snprintf(text, size, "%s = auto means %s", option == POOL_COPY ? "copy" : "start_method",
                         text_string(&words));
}

#define SILENT (-1)

/* `priority`: of the record. */
static void tell(struct pool *pool, int priority)
{
        for (size_t i = 0; i < ELEMENTS(options); i++) {
                char text[sizeof(pool->fallback_told[i])];
                describe(pool, options[i], text, sizeof(text));
                if (text_equal(text, pool->fallback_told[i]))
                        continue;
                snprintf(pool->fallback_told[i], sizeof(pool->fallback_told[i]), "%s", text);
                if (priority != SILENT && text[0] != '\0')
                        pool_record(pool, priority, "%s", text);
        }
}

void pool_fallback_announce(struct pool *pool)
{
        tell(pool, LOG_INFO);
}

void pool_fallback_adopt(struct pool *pool)
{
        tell(pool, SILENT);
}

void pool_fallback_renew(struct pool *pool)
{
        pool->fallback = (struct fallback){0};
        pool_use_config(pool);
        pool_fallback_announce(pool);
}

/* The workers that there are were made another way. */
static void begin_anew(struct pool *pool)
{
        pool_begin_generation(pool);
        pool_use_config(pool);
        tell(pool, LOG_NOTICE);
        pool_touch(pool);
}

void pool_fallback_give_up(struct pool *pool, unsigned cause)
{
        if (fallback_start_method(&pool->fallback, pool->config, cause))
                begin_anew(pool);
}

static void give_up_rollback(struct pool *pool, unsigned cause)
{
        if (pool->mode == POOL_OPEN && fallback_copy(&pool->fallback, pool->config, cause))
                begin_anew(pool);
}

/* A worker that has never served could not. */
static bool note_failed_start(const struct worker *worker, unsigned obstacle)
{
        struct pool *pool = worker->pool;

        if (worker->generation == pool->generation)
                give_up_rollback(pool, obstacle);
        return pool->fallback.copy_cause != 0 && worker->generation < pool->generation;
}

/* One that has served ends: at once is given up what would leave rights behind, or is no rollback. */
static void note_end(const struct worker *worker, unsigned obstacle)
{
        struct pool *pool = worker->pool;

        if (worker->generation != pool->generation || pool_config_copy(pool->config) != COPY_ROLLBACK)
                return;
        switch (obstacle) {
        case ROLLBACK_ATTRIBUTES_CHANGED:
        case ROLLBACK_TRACKING_FAILED:
        case ROLLBACK_NOT_PRISTINE:
                give_up_rollback(pool, obstacle);
                break;
        default:
                if (fallback_is_often(&pool->fallback.ends, tallies_requests(pool)))
                        give_up_rollback(pool, obstacle | CAUSE_OFTEN);
        }
}

bool pool_fallback_note_worker(const struct worker *worker, int status)
{
        unsigned obstacle = atomic_load(&worker_slot(worker, 0)->obstacle);

        if (worker->pool->config->copy != COPY_AUTO || worker->is_program || !worker_serves(worker) || obstacle == 0 ||
            obstacle >= ROLLBACK_OBSTACLE_COUNT || rollback_obstacle_is_shortage(obstacle) || !WIFEXITED(status))
                return false;
        if (WEXITSTATUS(status) == PREFORK_EXIT_START_FAILED)
                return note_failed_start(worker, obstacle);
        if (WEXITSTATUS(status) == PREFORK_EXIT_RECYCLED)
                note_end(worker, obstacle);
        return false;
}
