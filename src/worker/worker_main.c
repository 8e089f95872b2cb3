#include "worker/worker_main.h"

#include <errno.h>

#include "os/clock.h"
#include "os/process/stack.h"
#include "os/scoreboard_memory.h"
#include "worker/accept_loop.h"
#include "worker/explanation.h"
#include "worker/orders.h"
#include "worker/refuser.h"
#include "worker/runtimes.h"
#include "worker/worker_log.h"
#include "worker/worker_setup.h"

/* Store in the slot why the worker could not start or serve; the master logs it. */
static void report_failure(const struct worker_plan *plan, struct prefork_slot *slot,
                           const struct worker_failure *failure)
{
        explanation_log(plan, failure->stage);
        atomic_store(&slot->start_errno, (uint32_t)failure->error);
        atomic_store(&slot->start_stage, failure->stage);
}

/* Prepare everything before the worker reports that it is ready. */
static int start(const struct worker_plan *plan, struct prefork_scoreboard *board, struct accept_loop *loop,
                 struct worker_failure *failure)
{
        *failure = (struct worker_failure){.stage = WORKER_STAGE_MEMORY};
        int r = slot_attach(&loop->desk.slot, board, plan->slot, plan->wake_fd);
        if (r < 0)
                return r;
        recycling_begin(&loop->desk.recycling, recycling_open_memory(), clock_now_ns());
        loop->runtime_ops = runtime_of(plan->pool->handler_type);
        const struct worker_fds own = {.statm = loop->desk.recycling.statm_fd,
                                       .log_read = worker_log_open_reader(plan->log_write_fd),
                                       .board = loop->runtime_ops->become ? plan->board_fds[0] : -1};
        r = worker_setup(plan, &own, failure);
        if (r < 0)
                return r;
        worker_log_start(plan->log_write_fd);
        failure->stage = WORKER_STAGE_HANDLER;
        r = loop->runtime_ops->prepare(plan, own.log_read, &loop->runtime);
        if (r == 0 && loop->runtime_ops->become) {
                failure->stage = WORKER_STAGE_EXEC;
                if (plan->pool->accounting == ACCOUNTING_NONE) /* nobody will report that it is ready */
                        slot_unwatched(&loop->desk.slot, clock_now_ns());
                return loop->runtime_ops->become(loop->runtime, own.statm);
        }
        if (r == 0)
                r = orders_install(&loop->desk.slot, loop->runtime_ops->interrupt);
        if (r < 0)
                return r;
        failure->stage = WORKER_STAGE_LISTENERS;
        return acceptor_open(&loop->acceptor, plan->listeners, plan->listener_count, plan->master_pid,
                             (unsigned)plan->orphan_timeout_ms);
}

static int serve_connections(const struct worker_plan *plan, struct prefork_scoreboard *board)
{
        struct accept_loop loop = {.patience_ns = plan->pool->start_timeout_ms * 1000000};
        struct worker_failure failure;

        int r = start(plan, board, &loop, &failure);
        if (r == -ESRCH && (failure.stage == WORKER_STAGE_LISTENERS || failure.stage == WORKER_STAGE_EXEC))
                return WORKER_EXIT_ORPHANED;
        if (r < 0) {
                failure.error = failure.error > 0 ? failure.error : -r;
                report_failure(plan, &board->slots[plan->slot], &failure);
                return WORKER_EXIT_START_FAILED;
        }
        failure = (struct worker_failure){0};
        slot_ready(&loop.desk.slot, clock_now_ns());
        int code = accept_loop_run(&loop, &failure);
        if (failure.error > 0)
                report_failure(plan, &board->slots[plan->slot], &failure);
        slot_ending(&loop.desk.slot);
        return code;
}

int worker_main(const struct worker_plan *plan)
{
        struct prefork_scoreboard *board = NULL;

        stack_forget();                                            /* the master may have read a configuration there */
        if (scoreboard_memory_map(plan->board_fds[0], &board) < 0) /* there is no place to say why */
                return WORKER_EXIT_START_FAILED;
        return plan->role == WORKER_ROLE_REFUSE ? refuser_run(plan, board) : serve_connections(plan, board);
}
