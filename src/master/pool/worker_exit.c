#include "master/pool/worker_exit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/saturating.h"
#include "lib/rollback_obstacle.h"
#include "lib/slot.h"
#include "logic/protocol/worker_plan.h"
#include "master/pool/board_renewal.h"
#include "master/pool/drainer.h"
#include "master/pool/health.h"
#include "master/pool/pool.h"
#include "master/pool/pool_counters.h"
#include "master/pool/pool_fallback.h"
#include "master/pool/program.h"
#include "master/pool/tallies.h"
#include "master/pool/worker.h"
#include "master/pool/worker_output.h"
#include "master/pool/worker_slots.h"
#include "master/pool/worker_table.h"
#include "os/clock.h"

/* A worker says in all its slots that it ends before it does so in an orderly way. Code that is loaded into it can exit
 * at any moment, with any code, and takes its request along. */
static bool has_said_so(const struct worker *worker)
{
        for (uint32_t i = 0; i < worker->slots && worker_serves(worker); i++)
                if (atomic_load(&worker_slot(worker, i)->activity) != PREFORK_ENDING)
                        return false;
        return true;
}

/* A program that reports nothing and ends earlier has not served. */
#define LIVED_MS 1000

/* A program was sent TERM or KILL because of its request. (Other workers relay that, and live.) */
static bool was_interrupted(const struct worker *worker)
{
        return worker->is_program && (worker->life.state == WORKER_TERMINATING || worker->life.state == WORKER_KILLING);
}

/* A program that may have found that a listener is shut, as it is when it has drained; perhaps before it was ready. */
static bool lost_its_listener(const struct worker *worker)
{
        return worker->is_program && worker->listener_shut;
}

/* A program that was started to drain listeners, and found nothing there. It is excused, but not as often as it likes.
 */
static bool has_drained(const struct worker *worker)
{
        return worker->purpose == WORKER_DRAIN && !worker_life_is_starting(&worker->life);
}

/* The master has asked it to end, or is done with it. */
static bool ended_by_us(const struct worker *worker)
{
        return worker->life.retired || worker->recycling != RECYCLE_NONE || worker->life.state == WORKER_ENDING ||
               worker->life.state == WORKER_KILLED || was_interrupted(worker) || lost_its_listener(worker);
}

/* For a program that reports nothing: it has not ended at once, so it may have served. */
static bool has_lived(const struct worker *worker)
{
        return worker->unwatched && !worker_life_is_starting(&worker->life) &&
               clock_now_ms() - worker->forked_ms >= LIVED_MS;
}

/* What a worker of the kind that inetd calls wait has taken, however soon it ended. */
enum taken { TAKEN_NOTHING, TAKEN_PERHAPS, TAKEN_SOMETHING };

/* Less waits than when it was launched, or another datagram is the first. If more waits, nothing is known. */
static enum taken what_it_took(const struct worker *worker)
{
        const struct listener_mark *before = &worker->at_launch;

        if (!worker->unwatched || before->waiting == 0)
                return TAKEN_NOTHING;
        const struct listener_mark now = listener_set_mark(worker_listeners(worker));
        if (now.waiting < before->waiting || now.first != before->first)
                return TAKEN_SOMETHING;
        return now.waiting > before->waiting ? TAKEN_PERHAPS : TAKEN_NOTHING;
}

static bool has_served(const struct worker *worker)
{
        return has_lived(worker) || what_it_took(worker) == TAKEN_SOMETHING;
}

/* Of those of which nothing is known, back-off excuses only some. */
static bool may_have_served(const struct worker *worker)
{
        return has_lived(worker) || what_it_took(worker) != TAKEN_NOTHING;
}

/* The exit code of a program is its own affair. It may end when it is asked to, and whenever it has served. */
static bool program_ended_as_agreed(const struct worker *worker, int status)
{
        const struct prefork_slot *slot = worker_slot(worker, 0);

        if (atomic_load(&slot->start_stage) != PREFORK_STAGE_NONE)
                return false;
        /* A signal ends a program that was retired, at a moment when it held no connection. */
        int number = worker->retire_signal > 0 ? worker->retire_signal : SIGTERM;
        bool may_end = ended_by_us(worker) || has_drained(worker);
        if (was_interrupted(worker) || (may_end && WIFSIGNALED(status) && WTERMSIG(status) == number))
                return true;
        bool by_itself = worker->unwatched ? status == 0 && may_have_served(worker) : worker_requests(worker) > 0;
        return WIFEXITED(status) && (may_end || by_itself);
}

static bool ended_as_agreed(const struct worker *worker, int status)
{
        if (worker->life.state == WORKER_ENDING || worker->life.state == WORKER_KILLED)
                return true;
        if (worker->is_program)
                return program_ended_as_agreed(worker, status);
        if (!WIFEXITED(status))
                return false;
        switch (WEXITSTATUS(status)) {
        case PREFORK_EXIT_RETIRED:
        case PREFORK_EXIT_RECYCLED:
        case PREFORK_EXIT_ORPHANED:
                return has_said_so(worker);
        case PREFORK_EXIT_ORDERED: /* it served a request in its own process that had to end */
                return worker->life.state == WORKER_KILLING;
        default:
                return false;
        }
}

/* How long the oldest of its requests has lasted. */
static uint64_t oldest_request_ms(const struct worker *worker)
{
        uint64_t now_ms = clock_now_ms(), since_ms = now_ms;

        for (uint32_t i = 0; i < worker->slots; i++)
                if (worker_is_busy(worker, i))
                        since_ms = MIN_OF(since_ms, worker_since_ms(worker, i, now_ms));
        return now_ms - since_ms;
}

/* Describe what it was doing: "while serving a request for 1200 ms". */
static void describe_activity(const struct worker *worker, char *text, size_t size)
{
        unsigned busy = worker_life_is_starting(&worker->life) ? 0 : worker_busy_slots(worker);

        if (!worker_serves(worker))
                snprintf(text, size, "while refusing connections");
        else if (busy == 1)
                snprintf(text, size, "while serving a request for %llu ms",
                         (unsigned long long)oldest_request_ms(worker));
        else if (busy > 1)
                snprintf(text, size, "while serving %u requests, the oldest for %llu ms", busy,
                         (unsigned long long)oldest_request_ms(worker));
        else
                snprintf(text, size, worker_life_is_starting(&worker->life) ? "while starting" : "while idle");
}

/* It says in its slot why; an exit code of a program means nothing. */
static bool could_not_serve(const struct worker *worker, int code)
{
        return (code == PREFORK_EXIT_START_FAILED || code == PREFORK_EXIT_LISTENER_FAILED) &&
               (!worker->is_program || atomic_load(&worker_slot(worker, 0)->start_stage) != PREFORK_STAGE_NONE);
}

/* Among the decisions as well: it is why the pool backs off. Workers of one pool fail together, and for one reason. */
__attribute__((format(printf, 3, 4))) static void record(const struct worker *worker, const struct log_fields *fields,
                                                         const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        pool_record_fields(worker->pool, fields, false, LOG_ERR, format, arguments);
        va_end(arguments);
}

static void log_failure(const struct worker *worker, const struct log_fields *fields)
{
        const struct prefork_slot *slot = worker_slot(worker, 0);
        uint32_t stage = atomic_load(&slot->start_stage), error = atomic_load(&slot->start_errno);
        uint32_t obstacle = atomic_load(&slot->obstacle);
        bool has_more = obstacle > ROLLBACK_NO_OBSTACLE && obstacle < ROLLBACK_OBSTACLE_COUNT;
        char text[DECISION_TEXT_SIZE];

        snprintf(text, sizeof(text), "cannot serve: %s: %s%s%s", worker_stage_name(stage), strerror((int)error),
                 has_more ? ": " : "", has_more ? rollback_obstacle_text((enum rollback_obstacle)obstacle) : "");
        if (health_tells(worker->pool, stage, error))
                record(worker, fields, "%s", text);
        else
                log_emit(LOG_DEBUG, fields, "%s", text);
}

static void log_death(const struct worker *worker, int status)
{
        const struct log_fields fields = {.message_id = MESSAGE_ID_WORKER_DIED,
                                          .pool = worker->pool->name,
                                          .worker_pid = worker->pid,
                                          .generation = worker->generation,
                                          .requests = worker_requests(worker)};
        char activity[80];

        describe_activity(worker, activity, sizeof(activity));
        if (WIFSIGNALED(status))
                log_emit(LOG_WARNING, &fields, "killed by signal %d (%s) %s, after %llu requests", WTERMSIG(status),
                         strsignal(WTERMSIG(status)), activity, (unsigned long long)fields.requests);
        else if (could_not_serve(worker, WEXITSTATUS(status)))
                log_failure(worker, &fields);
        else
                log_emit(LOG_WARNING, &fields, "exited with code %d %s, after %llu requests", WEXITSTATUS(status),
                         activity, (unsigned long long)fields.requests);
}

static void count_failure(const struct worker *worker, int status, bool as_agreed)
{
        struct pool *pool = worker->pool;
        bool served = has_served(worker);
        const struct backoff_death death = {
                .by_our_hand = ended_by_us(worker),
                .by_others_hand = as_agreed || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL),
                .was_ready = !worker_life_is_starting(&worker->life) && worker->life.state != WORKER_GONE,
                .had_served = worker_requests(worker) > 0 || served,
                .pool_succeeded_since = tallies_requests(pool) > worker->requests_at_fork,
        };

        if (worker->purpose == WORKER_DRAIN && !death.by_our_hand && !death.had_served)
                drainer_note_failed_helper(pool, worker->generation);
        health_note_success(pool); /* what was served before excuses this one, too */
        if (served)
                health_note_life(pool);
        if (backoff_is_failure(&pool->health.backoff, &death, clock_now_ms()))
                health_note_failure(pool);
}

/* A program that ends by the deadline of its request takes it along, if it has not ended it before; it is counted as
 * one whose handler was ended. */
static void count_interrupted(const struct worker *worker, int status)
{
        const struct tally_words *counted = &worker_tally(worker, 0)->counted; /* a program has one slot */
        struct counters *sums = &worker->pool->counters.sums;
        uint64_t now_ms = clock_now_ms();

        if (!was_interrupted(worker) || counted->begun <= counted->counters.requests)
                return;
        pool_counters_note(worker->pool, COUNTER_requests);
        if (WIFSIGNALED(status))
                pool_counters_note(worker->pool, COUNTER_handler_deaths);
        sums->busy_ns = saturated_add(sums->busy_ns, (now_ms - worker_since_ms(worker, 0, now_ms)) * 1000000);
}

/* A program that accepts itself dies with its worker. */
static void count_crash(const struct worker *worker, int status)
{
        if (worker->is_program && WIFSIGNALED(status) && slot_is_crash(WTERMSIG(status)))
                pool_counters_note(worker->pool, COUNTER_handler_crashes);
}

static bool was_recycled(const struct worker *worker, int status)
{
        if (worker->is_program)
                return worker->recycling != RECYCLE_NONE && program_ended_as_agreed(worker, status);
        return WIFEXITED(status) && (WEXITSTATUS(status) == PREFORK_EXIT_RECYCLED || worker->recycling != RECYCLE_NONE);
}

/* Its threads count as one worker. */
static void inherit(const struct worker *worker, const struct rusage *usage)
{
        struct tally_words sum = worker_tally(worker, 0)->counted;

        for (uint32_t i = 1; i < worker->slots; i++) {
                const struct tally_words *counted = &worker_tally(worker, i)->counted;
                counters_add(&sum.counters, &counted->counters);
                for (size_t k = 0; k < ELEMENTS(sum.durations); k++) {
                        sum.durations[k] += counted->durations[k];
                        sum.waits[k] += counted->waits[k];
                }
        }
        pool_counters_inherit(worker->pool, &sum, usage);
}

/* Requests that had not ended. (One that has ended its worker is counted as ended, and its slot is busy until then.) */
static unsigned count_unfinished(const struct worker *worker)
{
        unsigned count = 0;

        for (uint32_t i = 0; i < worker->slots; i++) {
                const struct prefork_slot *slot = worker_slot(worker, i);
                count += worker_is_busy(worker, i) &&
                         atomic_load(&slot->requests_ended) != atomic_load(&slot->requests_begun);
        }
        return count;
}

/* A request that did not obey has ended the worker, as agreed, and with it what its other threads served. */
static void tell_companions(const struct worker *worker, int status)
{
        const struct log_fields fields = {
                .pool = worker->pool->name, .worker_pid = worker->pid, .generation = worker->generation};
        unsigned others = count_unfinished(worker);

        if (worker->slots > 1 && others > 0 && WIFEXITED(status) && WEXITSTATUS(status) == PREFORK_EXIT_ORDERED)
                log_emit(LOG_WARNING, &fields, "%u other request%s of its threads ended with it", others,
                         others == 1 ? "" : "s");
}

/* A killed worker must not hold places of its clients' sources for ever. */
static void remove_worker(struct worker *worker)
{
        struct pool *pool = worker->pool;

        for (uint32_t i = 0; i < worker->slots; i++)
                atomic_store(&worker_slot(worker, i)->source, 0);
        tallies_forget(worker);
        worker_table_remove(worker);
        board_renewal_end(pool);
        pool_touch(pool);
}

void worker_exit_leave(struct worker *worker)
{
        static const struct rusage none = {0}; /* its CPU time is told when the process ends */

        worker_note_ready(worker, clock_now_ms());
        tallies_look_at(worker);
        worker_leave_idle_set(worker);
        inherit(worker, &none);
        worker_event(worker, WORKER_EVENT_EXITED, clock_now_ms());
        remove_worker(worker);
}

void worker_exit_settle(void *context, pid_t pid, int status, const struct rusage *usage)
{
        struct worker *worker = context;
        struct pool *pool = worker->pool;

        worker_note_ready(worker, clock_now_ms()); /* it may have served and ended before the master saw it ready */
        tallies_look_at(worker);
        bool is_given_up = pool_fallback_note_worker(worker, status);
        bool as_agreed = ended_as_agreed(worker, status) || is_given_up;
        if (as_agreed)
                tell_companions(worker, status);
        else {
                pool_counters_note(pool, COUNTER_died);
                log_death(worker, status);
                program_explain(worker);
        }
        count_interrupted(worker, status);
        count_crash(worker, status);
        count_failure(worker, status, as_agreed);
        worker_leave_idle_set(worker);
        if (worker_serves(worker))
                inherit(worker, usage);
        if (worker->is_program)
                pool_counters_inherit_program(pool, usage);
        if (was_recycled(worker, status))
                pool_counters_note(pool, COUNTER_recycled);
        else if (as_agreed)
                pool_counters_note(pool, COUNTER_ended);
        if (pool->runtime->status.remove)
                pool->runtime->status.remove(pool->runtime->status.context, pid);
        worker_output_outlive(pool->runtime->outputs, pool->name, pid, pool->config->max_workers);
        if (!ended_by_us(worker)) /* perhaps it found that its listener does not listen any more */
                pool_suspect_listeners(pool);
        worker_event(worker, WORKER_EVENT_EXITED, clock_now_ms());
        remove_worker(worker);
}
