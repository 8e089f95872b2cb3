#include "worker/worker_main.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/log/pipe_reader.h"
#include "os/process/stack.h"
#include "os/scoreboard_memory.h"
#include "worker/accept_loop.h"
#include "worker/admission.h"
#include "worker/explanation.h"
#include "worker/last_words.h"
#include "lib/door.h"
#include "lib/idle_watch.h"
#include "lib/orders.h"
#include "worker/refuser.h"
#include "worker/runtimes.h"
#include "worker/team.h"
#include "worker/template_process.h"
#include "worker/worker_log.h"
#include "worker/worker_setup.h"

/* A worker that serves. */
struct server {
        struct worker_plan plan; /* with the descriptors where this worker has them */
        int *listeners;
        struct worker_fds own;
        struct worker_log *log; /* not on the stack: when a module ends this thread, it is used after that is gone */
        struct accept_loop loop;
        struct team *team; /* its threads; NULL: it has none, and serves itself */
};

/* Store in the slot why the worker could not start or serve; the master logs it. */
static void report_failure(const struct worker_plan *plan, struct prefork_slot *slot,
                           const struct worker_failure *failure)
{
        const struct runtime_ops *ops = runtime_of(plan->pool);

        if (failure->stage == PREFORK_STAGE_DIRECTORY)
                explanation_of_directory(plan);
        else if ((failure->stage == PREFORK_STAGE_HANDLER || failure->stage == PREFORK_STAGE_EXEC) && ops->explain)
                ops->explain(plan);
        atomic_store(&slot->start_errno, (uint32_t)failure->error);
        atomic_store(&slot->start_stage, failure->stage);
}

/* Give the worker's own descriptors the lowest numbers, see own_fds.h. */
static int settle(struct server *server)
{
        struct worker_plan *plan = &server->plan;
        int *const fds[] = {&plan->wake_fd,   &plan->log_write_fd, &plan->log_socket_fd,
                            &plan->status_fd, &server->own.statm,  &server->own.log_read};
        int r = 0;

        for (size_t i = 0; i < ELEMENTS(fds) && r == 0; i++)
                r = own_fds_settle(fds[i]);
        for (size_t i = 0; i < plan->listener_count && r == 0; i++)
                r = own_fds_settle(&server->listeners[i]);
        server->log->pipe_fd = plan->log_write_fd;
        if (server->log->socket_fd >= 0) /* else nobody reads it */
                server->log->socket_fd = plan->log_socket_fd;
        server->loop.desk.slot.wake_fd = plan->wake_fd;
        server->loop.desk.recycling.statm_fd = server->own.statm;
        return r;
}

/* What a handler in this process must not close. */
static void note_own_fds(struct server *server)
{
        const struct worker_plan *plan = &server->plan;
        const int fds[] = {STDIN_FILENO,
                           STDOUT_FILENO,
                           STDERR_FILENO,
                           plan->wake_fd,
                           plan->log_write_fd,
                           plan->log_socket_fd,
                           plan->status_fd,
                           server->own.statm,
                           server->own.log_read,
                           server->loop.acceptor.epoll_fd,
                           server->loop.acceptor.signal_fd};

        for (size_t i = 0; i < ELEMENTS(fds); i++)
                own_fds_add(&server->loop.own_fds, fds[i]);
        for (size_t i = 0; i < plan->listener_count; i++)
                own_fds_add(&server->loop.own_fds, plan->listeners[i]);
}

/* From the copy of a master to a process that serves nothing yet. */
static int set_up(struct server *server, struct prefork_scoreboard *board, struct worker_failure *failure)
{
        struct worker_plan *plan = &server->plan;
        struct accept_loop *loop = &server->loop;

        *failure = (struct worker_failure){.stage = PREFORK_STAGE_MEMORY};
        int r = slot_attach(&loop->desk.slot, board, plan->slot, plan->wake_fd);
        if (r < 0)
                return r;
        connection_log_open(&loop->desk.log, (enum connection_log_mode)plan->pool->connection_log, board, getpid());
        server->listeners = calloc(plan->listener_count, sizeof(*server->listeners));
        if (!server->listeners)
                return -ENOMEM;
        for (size_t i = 0; i < plan->listener_count; i++)
                server->listeners[i] = plan->listeners[i];
        plan->listeners = server->listeners;
        recycling_begin(&loop->desk.recycling, recycling_open_memory(), clock_now_ns());
        loop->runtime_ops = runtime_of(plan->pool);
        server->own = (struct worker_fds){.statm = loop->desk.recycling.statm_fd,
                                          .log_read = pipe_reader_open(plan->log_write_fd),
                                          .board = loop->runtime_ops->become ? plan->board_fds[0] : -1};
        return worker_setup(plan, &server->own, failure);
}

/* Execute the program in place of this worker. Returns only if that fails. */
static int become(struct server *server, struct worker_failure *failure)
{
        struct accept_loop *loop = &server->loop;

        failure->stage = PREFORK_STAGE_EXEC;
        if (pool_config_is_unwatched(server->plan.pool)) /* nobody will report that it is ready */
                slot_unwatched(&loop->desk.slot, clock_now_ns());
        return loop->runtime_ops->become(loop->runtime, server->own.statm);
}

/* Prepare everything before the worker reports that it is ready. */
static int start(struct server *server, struct prefork_scoreboard *board, struct worker_failure *failure)
{
        const struct worker_plan *plan = &server->plan;
        struct accept_loop *loop = &server->loop;

        int r = set_up(server, board, failure);
        if (r < 0)
                return r;
        failure->stage = PREFORK_STAGE_DESCRIPTORS;
        r = loop->runtime_ops->in_process ? settle(server) : 0;
        if (r < 0)
                return r;
        failure->stage = PREFORK_STAGE_HANDLER;
        r = loop->runtime_ops->prepare(plan, server->own.log_read, &loop->runtime);
        if (r == -EAGAIN)
                failure->stage = PREFORK_STAGE_ROOM;
        if (r == 0 && loop->runtime_ops->become)
                return become(server, failure);
        const struct orders_target target = {.interrupt = loop->runtime_ops->interrupt,
                                             .in_process = loop->runtime_ops->in_process};
        orders_set_alarm(idle_watch_look);
        if (r == 0)
                r = orders_install(&loop->desk.slot, &target);
        if (r < 0)
                return r;
        failure->stage = PREFORK_STAGE_ROOM;
        r = plan->slots > 1 ? team_start(plan, board, &server->team) : 0;
        if (r < 0)
                return r;
        failure->stage = PREFORK_STAGE_LISTENERS;
        r = acceptor_open(&loop->acceptor, plan->listeners, plan->listener_count, plan->master_pid,
                          (unsigned)plan->orphan_timeout_ms);
        note_own_fds(server);
        connection_log_note_listeners(&loop->desk.log, plan->listeners, plan->listener_count);
        return r < 0 || server->team ? r : accept_loop_prepare(loop); /* each thread has its own */
}

/* Until the worker must end: its exit code, and *ret if it has failed. */
static int serve(struct server *server, struct worker_failure *ret)
{
        struct accept_loop *loop = &server->loop;

        if (!server->team) {
                slot_ready(&loop->desk.slot, clock_now_ns());
                return accept_loop_run(loop, ret);
        }
        int code = team_run(server->team, loop, ret);
        if (code >= 0)
                return code;
        *ret = (struct worker_failure){.stage = PREFORK_STAGE_LISTENERS, .error = -code};
        return PREFORK_EXIT_START_FAILED;
}

static int serve_connections(const struct worker_plan *plan, struct prefork_scoreboard *board)
{
        struct server server = {.plan = *plan,
                                .loop.gate = admission_gate(plan->pool),
                                .loop.lingering_ms = plan->pool->lingering_close_ms,
                                .loop.idle_ms = plan->pool->idle_timeout_ms,
                                .loop.kill_ms = plan->pool->kill_timeout_ms,
                                .loop.patience_ns = plan->pool->start_timeout_ms * 1000000};
        struct accept_loop *loop = &server.loop;
        struct worker_failure failure;

        server.log = calloc(1, sizeof(*server.log));
        if (!server.log)
                return PREFORK_EXIT_START_FAILED;
        *server.log = (struct worker_log){.pipe_fd = plan->log_write_fd, .socket_fd = plan->log_socket_fd};
        worker_log_start(server.log);
        int r = start(&server, board, &failure);
        if (r == -ESRCH && (failure.stage == PREFORK_STAGE_LISTENERS || failure.stage == PREFORK_STAGE_EXEC))
                return PREFORK_EXIT_ORPHANED;
        if (r < 0) {
                failure.error = failure.error > 0 ? failure.error : -r;
                report_failure(&server.plan, &board->slots[plan->slot], &failure);
                return PREFORK_EXIT_START_FAILED;
        }
        failure = (struct worker_failure){0};
        int code = serve(&server, &failure);
        if (failure.error > 0)
                report_failure(&server.plan, &board->slots[plan->slot], &failure);
        slot_ending(&loop->desk.slot);
        loop->runtime_ops->end(loop->runtime);
        accept_loop_clear(loop);
        if (door_is_orphaned())
                last_words_read(server.own.log_read, 0);
        return code;
}

int worker_main(const struct worker_plan *plan)
{
        struct prefork_scoreboard *board = NULL;

        stack_forget(); /* the master may have read a configuration there */
        if (plan->role == WORKER_ROLE_TEMPLATE)
                return template_process_run(plan);
        if (scoreboard_memory_map(plan->board_fds[0], &board) < 0) /* there is no place to say why */
                return PREFORK_EXIT_START_FAILED;
        return plan->role == WORKER_ROLE_REFUSE ? refuser_run(plan, board) : serve_connections(plan, board);
}
