#include "master/pool/recycler.h"

#include "master/pool/worker.h"

void recycler_let_go(struct worker *worker, const char *reason, uint64_t now_ms)
{
        worker->recycling = RECYCLE_LET_GO;
        worker_answer(worker, PREFORK_ANSWER_GO);
        /* It may have ceased to wait for an answer and be idle again. Leave first, look then; it does it the other way
         * round, so that one of us sees the other. */
        if (worker_is_idle(worker))
                worker_retire(worker, reason, now_ms);
}

void recycler_serve_on(struct worker *worker)
{
        worker_set_replacement(worker, NULL);
        worker->recycling = RECYCLE_NONE;
        worker_answer(worker, PREFORK_ANSWER_LATER);
}
