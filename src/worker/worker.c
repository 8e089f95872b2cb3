#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/acceptor.h"
#include "lib/door.h"
#include "lib/slot.h"
#include "os/clock.h"
#include "worker/handler.h"
#include "worker/recycling.h"
#include "worker/refuser.h"
#include "worker/source.h"
#include "worker/worker_log.h"
#include "worker/worker_setup.h"

struct worker {
        const struct worker_plan *plan;
        struct slot slot;
        struct acceptor acceptor;
        struct handler *handler;
        struct recycling recycling;
        bool short_of_resources; /* inside an episode of EMFILE and its kind: warned once */
};

/* Say in the slot why the worker could not start, for the master to log. */
static int report_failure(const struct worker_plan *plan, enum worker_stage stage, int error)
{
        if (plan->role == WORKER_ROLE_SERVE) {
                atomic_store(&plan->board->slots[plan->slot].start_errno, (uint32_t)error);
                atomic_store(&plan->board->slots[plan->slot].start_stage, stage);
        }
        return WORKER_EXIT_START_FAILED;
}

/* A handler that died of a signal is worth a line; what it answered with is its own affair. */
static void log_outcome(const struct worker *worker, const struct handler_outcome *outcome, uint64_t duration_ms)
{
        if (!WIFSIGNALED(outcome->status))
                return;
        int number = WTERMSIG(outcome->status);
        const struct scoreboard_slot *words = worker->slot.words;
        bool ordered = atomic_load(&words->order) != SCOREBOARD_ORDER_NONE &&
                       atomic_load(&words->order_request) == atomic_load(&words->requests_begun);
        log_emit(ordered ? LOG_INFO : LOG_NOTICE, NULL, "handler killed by signal %d (%s)%s after %llu ms", number,
                 strsignal(number), WCOREDUMP(outcome->status) ? ", core dumped," : "", (unsigned long long)duration_ms);
}

/* Serve one accepted connection, which has its place among those of its source. 0, or -errno when the handler could not
 * be executed. */
static int serve(struct worker *worker, int connection, const struct address *peer)
{
        struct handler_outcome outcome = {0};
        uint64_t begun_ns = clock_now_ns();

        slot_busy(&worker->slot, begun_ns);
        recycling_request_begun(&worker->recycling, &worker->slot, begun_ns);
        int r = handler_serve(worker->handler, connection, peer, &outcome);
        slot_leave_source(&worker->slot);
        if (r < 0)
                return r;
        uint64_t ended_ns = clock_now_ns();
        log_outcome(worker, &outcome, (ended_ns - begun_ns) / 1000000);
        slot_done(&worker->slot, ended_ns, outcome.status, outcome.cpu_us);
        return 0;
}

/* A shortage is the system's, not this worker's: one warning an episode, a pause, and again. */
static void endure_shortage(struct worker *worker, int error)
{
        if (!worker->short_of_resources)
                log_warning("accept: %s; trying again until it is over", strerror(-error));
        worker->short_of_resources = true;
        acceptor_pause(&worker->acceptor);
}

static int run(struct worker *worker)
{
        for (;;) {
                struct address peer;
                int connection;

                int r = acceptor_wait(&worker->acceptor, &peer, &connection);
                if (acceptor_is_shortage(r)) {
                        endure_shortage(worker, r);
                        continue;
                }
                if (r == -ESHUTDOWN)
                        return door_is_orphaned() ? WORKER_EXIT_ORPHANED : WORKER_EXIT_RETIRED;
                if (r < 0) {
                        report_failure(worker->plan, WORKER_STAGE_LISTENERS, -r);
                        return WORKER_EXIT_LISTENER_FAILED;
                }
                worker->short_of_resources = false;
                /* Before it becomes a request: one too many of its source is never served, only closed. */
                if (!slot_enter_source(&worker->slot, source_of(&peer))) {
                        close(connection);
                        continue;
                }
                r = serve(worker, connection, &peer);
                if (r < 0)
                        return report_failure(worker->plan, WORKER_STAGE_EXEC, -r);
                if (recycling_is_due(&worker->recycling, &worker->slot, clock_now_ns()))
                        return WORKER_EXIT_RECYCLED;
                slot_idle(&worker->slot, clock_now_ns());
                if (recycling_was_granted(&worker->slot))
                        return WORKER_EXIT_RECYCLED;
        }
}

/* What can be prepared is prepared before the worker says that it is ready. */
static int start(struct worker *worker, struct worker_failure *failure)
{
        const struct worker_plan *plan = worker->plan;

        *failure = (struct worker_failure){.stage = WORKER_STAGE_MEMORY};
        int r = slot_attach(&worker->slot, plan->board, plan->slot, plan->wake_fd);
        if (r == 0)
                r = recycling_open(&worker->recycling, clock_now_ns());
        if (r < 0)
                return r;
        r = worker_setup(plan, worker->recycling.statm_fd, failure);
        if (r < 0)
                return r;
        worker_log_start(plan->log_write_fd);
        failure->stage = WORKER_STAGE_HANDLER;
        r = handler_new(plan, &worker->slot, &worker->handler);
        if (r < 0)
                return r;
        failure->stage = WORKER_STAGE_LISTENERS;
        return acceptor_open(&worker->acceptor, plan->listeners, plan->listener_count, plan->master_pid,
                             (unsigned)plan->orphan_timeout_ms);
}

static int serve_connections(const struct worker_plan *plan)
{
        struct worker worker = {.plan = plan};
        struct worker_failure failure;

        int r = start(&worker, &failure);
        if (r == -ESRCH && failure.stage == WORKER_STAGE_LISTENERS)
                return WORKER_EXIT_ORPHANED;
        if (r < 0)
                return report_failure(plan, failure.stage, failure.error > 0 ? failure.error : -r);
        slot_ready(&worker.slot, clock_now_ns());
        int code = run(&worker);
        slot_ending(&worker.slot);
        return code;
}

int worker_main(const struct worker_plan *plan)
{
        return plan->role == WORKER_ROLE_REFUSE ? refuser_run(plan) : serve_connections(plan);
}
