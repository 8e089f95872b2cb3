#include "logic/protocol/worker_plan.h"

#include <assert.h>

#include "base/cleanup.h"

static const char *const stage_names[] = {
        [PREFORK_STAGE_NONE] = "no stage",
        [PREFORK_STAGE_DESCRIPTORS] = "descriptors",
        [PREFORK_STAGE_OOM_SCORE] = "oom_score_adj",
        [PREFORK_STAGE_NICE] = "nice",
        [PREFORK_STAGE_LIMITS] = "limits",
        [PREFORK_STAGE_ROOT_DIRECTORY] = "root_directory",
        [PREFORK_STAGE_DIRECTORY] = "directory",
        [PREFORK_STAGE_CREDENTIALS] = "user",
        [PREFORK_STAGE_HANDLER] = "handler",
        [PREFORK_STAGE_MEMORY] = "memory",
        [PREFORK_STAGE_LISTENERS] = "listeners",
        [PREFORK_STAGE_EXEC] = "executing the handler",
        [PREFORK_STAGE_ROOM] = "no room for a handler's process",
};
static_assert(ELEMENTS(stage_names) == PREFORK_STAGE_COUNT, "a stage without a name");

const char *worker_stage_name(uint32_t stage)
{
        return stage < ELEMENTS(stage_names) ? stage_names[stage] : "unknown stage";
}
