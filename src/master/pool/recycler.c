#include "master/pool/recycler.h"

#include "master/pool/worker.h"
#include "master/pool/worker_slots.h"

void recycler_let_go(struct worker *worker, const char *reason, uint64_t now_ms)
{
        worker->recycling = RECYCLE_LET_GO;
        worker_answer(worker, PREFORK_ANSWER_GO);
        /* The worker may have stopped waiting for an answer and be idle again. The master answers first and then
         * checks; the worker enters the idle set first and then reads the answer, so that one of the two sees the
         * other. */
        if (worker_is_idle(worker) || worker->slots > 1) /* threads: see turn_let_go() */
                worker_retire(worker, reason, now_ms);
}

void recycler_serve_on(struct worker *worker)
{
        worker_set_replacement(worker, NULL);
        worker->recycling = RECYCLE_NONE;
        worker_answer(worker, PREFORK_ANSWER_LATER);
}
