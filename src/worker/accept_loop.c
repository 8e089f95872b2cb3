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
#include "worker/record_limit.h"
#include "worker/source.h"

/* True if a record of that kind may be logged now, with `text` at its end. */
static bool may_log(const struct accept_loop *loop, enum prefork_record kind, uint64_t now_ns,
                    char text[static RECORD_LIMIT_TEXT_MAX])
{
        uint32_t more;

        if (!record_limit_take(&loop->slot.board->records[kind], now_ns, &more))
                return false;
        record_limit_text(more, text);
        return true;
}

/* Log a connection that is closed unserved because its client has enough of them. */
static void log_refusal(const struct accept_loop *loop, const struct address *peer)
{
        char host[ADDRESS_TEXT_MAX], more[RECORD_LIMIT_TEXT_MAX];

        if (!may_log(loop, PREFORK_RECORD_REFUSED, clock_now_ns(), more))
                return;
        address_format_host(peer, host, sizeof(host));
        log_notice("refused a connection from %s: it has %u already (max_connections_per_source)%s", host,
                   atomic_load(&loop->slot.board->max_connections_per_source), more);
}

/* Log a handler that a signal killed. Its exit code has no meaning for us. */
static void log_outcome(const struct accept_loop *loop, const struct runtime_outcome *outcome, uint64_t begun_ns,
                        uint64_t ended_ns)
{
        if (!WIFSIGNALED(outcome->status))
                return;
        int number = WTERMSIG(outcome->status);
        enum prefork_record kind = number == SIGPIPE ? PREFORK_RECORD_LEFT : PREFORK_RECORD_KILLED;
        char more[RECORD_LIMIT_TEXT_MAX] = "";
        const struct prefork_slot *words = loop->slot.words;
        bool ordered = atomic_load(&words->order) != PREFORK_ORDER_NONE &&
                       atomic_load(&words->order_request) == atomic_load(&words->requests_begun);
        if (!ordered && !may_log(loop, kind, ended_ns, more))
                return;
        log_emit(ordered ? LOG_INFO : LOG_NOTICE, NULL, "handler killed by signal %d (%s)%s after %llu ms%s", number,
                 strsignal(number), WCOREDUMP(outcome->status) ? ", core dumped," : "",
                 (unsigned long long)(ended_ns - begun_ns) / 1000000, more);
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
        log_outcome(loop, &outcome, begun_ns, ended_ns);
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
                        log_refusal(loop, &peer);
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
