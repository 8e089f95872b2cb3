#include "worker/explanation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/process/executable.h"
#include "os/process/program.h"
#include "worker/worker_log.h"

static void explain_handler(const struct pool_config *pool, const struct executable_place *place)
{
        const char *inherited = pool->clear_environment ? NULL : getenv("PATH");
        const char *search_path = inherited ? inherited : PROGRAM_DEFAULT_PATH;
        _cleanup_(text_clear) struct text why = {0};
        _cleanup_(freep) char *path = NULL;

        for (size_t i = 0; i < pool->environment.count; i++)
                if (text_starts_with(pool->environment.list[i], "PATH="))
                        search_path = pool->environment.list[i] + strlen("PATH=");
        if (executable_find(place, pool->handler.list[0], search_path, &path, &why) != 0 && why.length > 0)
                log_emit(LOG_ERR, NULL, "cannot execute the handler \"%s\" as uid %u: %s",
                         path ? path : pool->handler.list[0], geteuid(), text_string(&why));
}

void explanation_log(const struct worker_plan *plan, enum worker_stage stage)
{
        const struct pool_config *pool = plan->pool;
        const struct executable_place place = {.directory = pool->directory};
        _cleanup_(text_clear) struct text why = {0};

        if (stage != WORKER_STAGE_HANDLER && stage != WORKER_STAGE_EXEC && stage != WORKER_STAGE_DIRECTORY)
                return;
        worker_log_start(plan->log_write_fd);
        if (stage != WORKER_STAGE_DIRECTORY)
                explain_handler(pool, &place);
        else if (executable_check_directory(&place, pool->directory, &why) < 0 && why.length > 0)
                log_emit(LOG_ERR, NULL, "cannot use the directory \"%s\" as uid %u: %s", pool->directory, geteuid(),
                         text_string(&why));
}
