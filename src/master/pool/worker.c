#include "master/pool/worker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/door.h"
#include "lib/idle_set.h"
#include "logic/policy/slot_allocator.h"
#include "master/loop/reaper.h"
#include "master/pool/worker_exit.h"
#include "master/pool/worker_output.h"
#include "os/clock.h"
#include "os/process/spawn.h"

/* A worker that was ordered to end itself and its handler has this long, then it is killed from outside. */
#define DIE_GRACE_MS 1000

struct scoreboard_slot *worker_slot(const struct worker *worker)
{
        return &worker->pool->board->slots[worker->slot];
}

bool worker_stays(const struct worker *worker)
{
        return worker->role == WORKER_ROLE_SERVE && worker->state != WORKER_DETACHED && worker->state != WORKER_RETIRING &&
               worker->state != WORKER_GONE && !worker->retired && !worker->ended_by_us;
}

bool worker_counts(const struct worker *worker)
{
        return worker_stays(worker) && !worker->drains;
}

bool worker_is_idle(const struct worker *worker)
{
        return worker->state == WORKER_READY && idle_set_has(worker->pool->board, worker->slot);
}

bool worker_is_busy(const struct worker *worker)
{
        return worker->role == WORKER_ROLE_SERVE && worker->state != WORKER_STARTING &&
               atomic_load(&worker_slot(worker)->activity) == SCOREBOARD_BUSY;
}

uint64_t worker_since_ms(const struct worker *worker, uint64_t now_ms)
{
        uint64_t since_ms = atomic_load(&worker_slot(worker)->activity_since_ns) / 1000000;

        return MIN_OF(since_ms, now_ms);
}

/* A clean slot for a new worker. */
static void prepare_slot(struct pool *pool, uint32_t index)
{
        struct scoreboard_slot *slot = &pool->board->slots[index];
        uint32_t incarnation = atomic_load(&slot->incarnation) + 1;

        idle_set_remove(pool->board, index);
        /* Nobody holds the slot, so plain stores will do; the fork orders them before the worker's. */
        memset((void *)slot, 0, sizeof(*slot));
        atomic_store(&slot->incarnation, incarnation);
        if (index >= atomic_load(&pool->board->slot_limit))
                atomic_store(&pool->board->slot_limit, index + 1);
}

struct fork_context {
        struct worker_plan plan;
        int (*entry)(const struct worker_plan *plan);
};

static int run_worker(void *context)
{
        const struct fork_context *child = context;

        return child->entry(&child->plan);
}

/* Fork with everything the worker is told; the pipe's writing ends are the child's alone afterwards. */
static int fork_process(struct worker *worker, const struct listener_set *listeners)
{
        struct pool *pool = worker->pool;
        const struct pool_runtime *runtime = pool->runtime;
        _cleanup_(freep) int *fds = calloc(listeners->count + 1, sizeof(*fds));
        int log_pipe[2];

        if (!fds)
                return -ENOMEM;
        if (pipe2(log_pipe, O_CLOEXEC) < 0)
                return -errno;
        _cleanup_(fd_closep) int log_read_fd = log_pipe[0];
        _cleanup_(fd_closep) int log_write_fd = log_pipe[1];
        for (size_t i = 0; i < listeners->count; i++)
                fds[i] = listeners->items[i].listener.fd;
        struct fork_context context = {
                .entry = runtime->worker_entry,
                .plan = {.role = worker->role, .pool = pool->config, .board = pool->board, .slot = worker->slot,
                         .listeners = fds, .listener_count = listeners->count, .wake_fd = pool->wake_fd,
                         .log_write_fd = log_write_fd, .log_read_fd = log_read_fd, .master_pid = runtime->master_pid,
                         .orphan_timeout_ms = runtime->orphan_timeout_ms,
                         .signals = runtime->signals, .original = runtime->original_limits},
        };
        int r = spawn_child(run_worker, &context, &worker->pid);
        if (r < 0)
                return r;
        r = reaper_add(runtime->reaper, worker->pid, worker_exit_settle, worker);
        if (r < 0) { /* a child we could not keep track of: it has done nothing yet */
                kill(worker->pid, SIGKILL);
                return r;
        }
        /* The reading end changes sides to the output's owner; without one the worker's words are lost, no more. */
        worker_output_start(runtime->outputs, pool->name, worker->pid, TAKE_FD(log_read_fd));
        return 0;
}

static void link_worker(struct pool *pool, struct worker *worker)
{
        worker->next = pool->workers;
        worker->link = &pool->workers;
        if (worker->next)
                worker->next->link = &worker->next;
        pool->workers = worker;
        pool->worker_count++;
}

static void report_fork_failure(struct pool *pool, int error)
{
        if (!pool->fork_failing)
                pool_record(pool, LOG_ERR, "cannot fork a worker: %s; trying again later", strerror(error));
        pool->fork_failing = true;
        pool->totals.start_failures++;
        backoff_failure(&pool->backoff, clock_now_ms(), pool->config->restart_delay_min_ms,
                        pool->config->restart_delay_max_ms);
}

/* Workers that are on their way out may hold the number of processes up for a moment; their ends make the pool look
 * again, so that this is no failure. One more than the limit: the refuser. */
static bool is_crowded(const struct pool *pool)
{
        uint64_t most = pool_config_process_limit(pool->config) + (uint64_t)MAX_OF(pool->max_workers_shift, 0) + 1;

        return pool->worker_count >= most;
}

struct worker *worker_fork(struct pool *pool, enum worker_role role, const struct listener_set *listeners,
                                     const char *reason)
{
        if (is_crowded(pool))
                return NULL;
        struct worker *worker = calloc(1, sizeof(*worker));
        int r = worker ? 0 : -ENOMEM;

        if (r == 0) {
                *worker = (struct worker){.pool = pool, .role = role, .generation = pool->generation,
                                               .forked_ms = clock_now_ms(),
                                               .requests_at_fork = pool->requests_seen};
                r = slot_allocator_take(pool->slots, &worker->slot);
        }
        if (r == 0) {
                prepare_slot(pool, worker->slot);
                r = fork_process(worker, listeners ? listeners : &pool->listeners);
                if (r < 0)
                        slot_allocator_release(pool->slots, worker->slot);
        }
        if (r < 0) {
                free(worker);
                report_fork_failure(pool, -r);
                return NULL;
        }
        pool->fork_failing = false;
        pool->totals.forked++;
        link_worker(pool, worker);
        const struct log_fields fields = {.pool = pool->name, .worker_pid = worker->pid, .reason = reason,
                                          .generation = worker->generation};
        log_emit(LOG_DEBUG, &fields, "forked (%s)", reason);
        return worker;
}

int worker_adopt(struct pool *pool, const struct worker *known)
{
        struct worker *worker = malloc(sizeof(*worker));

        if (!worker)
                return -ENOMEM;
        *worker = *known;
        worker->pool = pool;
        int r = slot_allocator_claim(pool->slots, worker->slot) < 0 ? -EINVAL : 0;
        if (r == 0)
                r = reaper_add(pool->runtime->reaper, worker->pid, worker_exit_settle, worker);
        if (r < 0) {
                free(worker);
                return r;
        }
        link_worker(pool, worker);
        if (worker->role == WORKER_ROLE_REFUSE)
                pool->refuser = worker;
        return 0;
}

static void order(struct worker *worker, enum scoreboard_order what)
{
        struct scoreboard_slot *slot = worker_slot(worker);

        atomic_store(&slot->order_request, worker->escalated_request);
        atomic_store(&slot->order, what);
        reaper_kill(worker->pool->runtime->reaper, worker->pid, SIGUSR1);
}

static void signal_retire(struct worker *worker)
{
        worker->retired = true;
        worker->retired_ms = clock_now_ms();
        /* It leaves the idle set now, not when it gets round to it: the count is of workers that will serve. */
        if (worker->role == WORKER_ROLE_SERVE)
                idle_set_remove(worker->pool->board, worker->slot);
        reaper_kill(worker->pool->runtime->reaper, worker->pid, DOOR_SIGNAL);
}

static void end_now(struct worker *worker)
{
        bool may_have_handler = worker->role == WORKER_ROLE_SERVE && worker->kill_at_ms == 0 && !worker->ended_by_us &&
                                atomic_load(&worker_slot(worker)->activity) != SCOREBOARD_STARTING;

        worker->ended_by_us = true;
        if (may_have_handler) {
                /* Only the worker knows its handler; it gets the chance to take it along. */
                worker->kill_at_ms = clock_now_ms() + DIE_GRACE_MS;
                order(worker, SCOREBOARD_ORDER_DIE);
        } else
                reaper_kill(worker->pool->runtime->reaper, worker->pid, SIGKILL);
}

/* The word a worker may be waiting for before it goes. */
void worker_answer(struct worker *worker, enum scoreboard_answer answer)
{
        _Atomic uint32_t *word = &worker_slot(worker)->answer;

        atomic_store(word, answer);
        syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void worker_event(struct worker *worker, enum worker_event event)
{
        const struct worker_transition transition = worker_fsm_step(worker->state, event, worker->retired);

        worker->state = transition.next;
        switch (transition.action) {
        case WORKER_ACTION_NONE:
        case WORKER_ACTION_FORGET: /* the obituary's part */
                break;
        case WORKER_ACTION_SIGNAL_RETIRE:
                signal_retire(worker);
                break;
        case WORKER_ACTION_RELAY_TERM:
                order(worker, SCOREBOARD_ORDER_TERM);
                break;
        case WORKER_ACTION_RELAY_KILL:
                order(worker, SCOREBOARD_ORDER_KILL);
                break;
        case WORKER_ACTION_KILL:
                end_now(worker);
                break;
        case WORKER_ACTION_COUNT:
                assert(false);
        }
}

void worker_retire(struct worker *worker, const char *reason)
{
        const struct log_fields fields = {.pool = worker->pool->name, .worker_pid = worker->pid, .reason = reason,
                                          .generation = worker->generation};

        if (worker->retired)
                return;
        worker->pool->totals.retired++;
        log_emit(LOG_DEBUG, &fields, "retired (%s)", reason);
        worker_event(worker, WORKER_EVENT_RETIRE);
        if (worker->role == WORKER_ROLE_SERVE)
                worker_answer(worker, SCOREBOARD_ANSWER_GO);
}
