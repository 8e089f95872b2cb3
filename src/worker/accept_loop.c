#include "worker/accept_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/door.h"
#include "os/clock.h"
#include "worker/source.h"

/* Log a handler that a signal killed. Its exit code has no meaning for us. */
static void log_outcome(const struct accept_loop *loop, const struct runtime_outcome *outcome, uint64_t duration_ms)
{
        if (!WIFSIGNALED(outcome->status))
                return;
        int number = WTERMSIG(outcome->status);
        const struct prefork_slot *words = loop->slot.words;
        bool ordered = atomic_load(&words->order) != PREFORK_ORDER_NONE &&
                       atomic_load(&words->order_request) == atomic_load(&words->requests_begun);
        log_emit(ordered ? LOG_INFO : LOG_NOTICE, NULL, "handler killed by signal %d (%s)%s after %llu ms", number,
                 strsignal(number), WCOREDUMP(outcome->status) ? ", core dumped," : "",
                 (unsigned long long)duration_ms);
}

/* Serve one accepted connection, which slot_enter_source() has admitted. 0; -errno: it could not be served. */
static int serve(struct accept_loop *loop, int connection, const struct address *peer)
{
        struct runtime_outcome outcome = {0};
        uint64_t begun_ns = clock_now_ns();

        slot_busy(&loop->slot, begun_ns);
        recycling_request_begun(&loop->recycling, &loop->slot, begun_ns);
        int r = loop->runtime_ops->serve(loop->runtime, connection, peer, &outcome);
        slot_leave_source(&loop->slot);
        if (r < 0)
                return r;
        uint64_t ended_ns = clock_now_ns();
        log_outcome(loop, &outcome, (ended_ns - begun_ns) / 1000000);
        slot_done(&loop->slot, ended_ns, outcome.status, outcome.cpu_us);
        return 0;
}

/* The system lacks a resource: warn once for each shortage, pause, and let the caller try again. */
static void endure_shortage(struct accept_loop *loop, int error)
{
        if (!loop->short_of_resources)
                log_warning("accept: %s; trying again until it is over", strerror(-error));
        loop->short_of_resources = true;
        acceptor_pause(&loop->acceptor);
}

int accept_loop_run(struct accept_loop *loop, struct worker_failure *ret)
{
        for (;;) {
                struct address peer;
                int connection;

                int r = acceptor_wait(&loop->acceptor, &peer, &connection);
                if (acceptor_is_shortage(r)) {
                        endure_shortage(loop, r);
                        continue;
                }
                if (r == -ESHUTDOWN)
                        return door_is_orphaned() ? WORKER_EXIT_ORPHANED : WORKER_EXIT_RETIRED;
                if (r < 0) {
                        *ret = (struct worker_failure){.stage = WORKER_STAGE_LISTENERS, .error = -r};
                        return WORKER_EXIT_LISTENER_FAILED;
                }
                loop->short_of_resources = false;
                /* Before the connection becomes a request: one too many of its source is closed unserved. */
                if (!slot_enter_source(&loop->slot, source_of(&peer))) {
                        close(connection);
                        continue;
                }
                r = serve(loop, connection, &peer);
                if (r < 0) {
                        *ret = (struct worker_failure){.stage = WORKER_STAGE_EXEC, .error = -r};
                        return WORKER_EXIT_START_FAILED;
                }
                if (recycling_is_due(&loop->recycling, &loop->slot, clock_now_ns()))
                        return WORKER_EXIT_RECYCLED;
                slot_idle(&loop->slot, clock_now_ns());
                if (recycling_was_granted(&loop->slot))
                        return WORKER_EXIT_RECYCLED;
        }
}
