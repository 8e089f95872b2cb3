#include "worker/template_process.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/template_words.h"
#include "os/log/pipe_reader.h"
#include "prefork/scoreboard.h"
#include "worker/explanation.h"
#include "worker/runtimes.h"
#include "worker/worker_log.h"
#include "worker/worker_setup.h"

static void explain(const struct worker_plan *plan, enum prefork_stage stage)
{
        if (stage == PREFORK_STAGE_DIRECTORY)
                explanation_of_directory(plan);
        else if (stage == PREFORK_STAGE_HANDLER || stage == PREFORK_STAGE_EXEC)
                explanation_of_program(plan);
}

static void report_failure(const struct worker_plan *plan, const struct worker_failure *failure)
{
        const struct template_word word = {
                .said = TEMPLATE_FAILED, .stage = failure->stage, .error = (uint32_t)failure->error};

        explain(plan, failure->stage);
        send(plan->template_fd, &word, sizeof(word), MSG_NOSIGNAL); /* if that fails, the end says enough */
}

static int become(const struct worker_plan *plan, struct worker_failure *failure)
{
        static const struct worker_fds own = {.statm = -1, .log_read = -1, .board = -1};
        const struct runtime_ops *ops = runtime_of(plan->pool);
        void *runtime;

        int reader_fd = pipe_reader_open(plan->log_write_fd); /* for its effect on the pipe: the template needs none */
        if (reader_fd >= 0)
                close(reader_fd);
        int r = worker_setup(plan, &own, failure);
        if (r < 0)
                return r;
        failure->stage = PREFORK_STAGE_HANDLER;
        r = ops->prepare(plan, -1, &runtime);
        if (r < 0) {
                failure->stage = r == -EAGAIN ? PREFORK_STAGE_ROOM : failure->stage;
                return r;
        }
        failure->stage = PREFORK_STAGE_EXEC;
        r = ops->become(runtime, -1);
        ops->end(runtime);
        return r;
}

int template_process_run(const struct worker_plan *plan)
{
        struct worker_log log = {.pipe_fd = plan->log_write_fd, .socket_fd = -1};
        struct worker_failure failure = {.stage = PREFORK_STAGE_MEMORY};

        worker_log_start(&log);
        int r = become(plan, &failure);
        if (r == -ESRCH && failure.stage == PREFORK_STAGE_EXEC)
                return PREFORK_EXIT_ORPHANED;
        failure.error = failure.error > 0 ? failure.error : -r;
        report_failure(plan, &failure);
        return PREFORK_EXIT_START_FAILED;
}
