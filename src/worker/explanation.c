#include "worker/explanation.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/process/executable.h"
#include "worker/handler_environment.h"

void explanation_of_program(const struct worker_plan *plan)
{
        const struct pool_config *pool = plan->pool;
        const struct executable_place place = {.directory = pool->directory};
        const struct words variables = secret_words_view(&pool->environment);
        struct handler_environment *environment = NULL;
        _cleanup_(text_clear) struct text why = {0};
        _cleanup_(freep) char *path = NULL;

        if (handler_environment_new(&variables, pool->clear_environment ? NULL : environ, &environment) < 0)
                return;
        if (executable_find(&place, pool->handler.list[0], handler_environment_search_path(environment), &path, &why) !=
                    0 &&
            why.length > 0)
                log_emit(LOG_ERR, NULL, "cannot execute the handler \"%s\" as uid %u: %s",
                         path ? path : pool->handler.list[0], geteuid(), text_string(&why));
        handler_environment_free(environment);
}

void explanation_of_directory(const struct worker_plan *plan)
{
        const struct pool_config *pool = plan->pool;
        const struct executable_place place = {.directory = pool->directory};
        _cleanup_(text_clear) struct text why = {0};

        if (executable_check_directory(&place, pool->directory, &why) < 0 && why.length > 0)
                log_emit(LOG_ERR, NULL, "cannot use the directory \"%s\" as uid %u: %s", pool->directory, geteuid(),
                         text_string(&why));
}
