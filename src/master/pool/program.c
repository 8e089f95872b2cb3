#include "master/pool/program.h"

#include "base/log.h"
#include "logic/protocol/worker_plan.h"
#include "master/pool/pool.h"
#include "master/pool/worker.h"

static const char *find_cause(const struct worker *worker)
{
        const struct prefork_slot *slot = worker_slot(worker, 0);
        bool preload = worker->pool->config->accounting == ACCOUNTING_PRELOAD;

        switch (atomic_load(&slot->attached)) {
        case PREFORK_ATTACHED_NOBODY:
                return preload ? "the handler runs without preforkd's preload object; accounting = preload is for "
                                 "programs that are dynamically linked with glibc and not setuid"
                               : "the handler runs and does not report; accounting = api is for programs that call "
                                 "prefork_attach()";
        case PREFORK_ATTACHED_FORKS:
                return "the handler forks workers of its own, which accounting = preload cannot follow; expected a "
                       "handler that accepts itself, or accounting = none";
        case PREFORK_ATTACHED_PRELOAD:
                return "the handler has not waited for a connection on the pool's sockets; see listen_fd for where it "
                       "finds them";
        default:
                return NULL;
        }
}

void program_explain(const struct worker *worker)
{
        const struct log_fields fields = {
                .pool = worker->pool->name, .worker_pid = worker->pid, .generation = worker->generation};
        const char *cause = NULL;

        if (worker_life_is_starting(&worker->life) &&
            atomic_load(&worker_slot(worker, 0)->start_stage) == PREFORK_STAGE_NONE)
                cause = worker->is_program ? find_cause(worker) : NULL;

        if (cause)
                log_emit(LOG_ERR, &fields, "%s", cause);
}
