#include "logic/protocol/worker_plan.h"

#include <assert.h>

#include "base/cleanup.h"

static const char *const stage_names[] = {
        [WORKER_STAGE_NONE] = "no stage",
        [WORKER_STAGE_DESCRIPTORS] = "descriptors",
        [WORKER_STAGE_OOM_SCORE] = "oom_score_adj",
        [WORKER_STAGE_NICE] = "nice",
        [WORKER_STAGE_LIMITS] = "limits",
        [WORKER_STAGE_ROOT_DIRECTORY] = "root_directory",
        [WORKER_STAGE_DIRECTORY] = "directory",
        [WORKER_STAGE_CREDENTIALS] = "user",
        [WORKER_STAGE_HANDLER] = "handler",
        [WORKER_STAGE_MEMORY] = "memory",
        [WORKER_STAGE_LISTENERS] = "listeners",
        [WORKER_STAGE_EXEC] = "executing the handler",
        [WORKER_STAGE_ROOM] = "no room for a handler's process",
};
static_assert(ELEMENTS(stage_names) == WORKER_STAGE_COUNT, "a stage without a name");

const char *worker_stage_name(uint32_t stage)
{
        return stage < ELEMENTS(stage_names) ? stage_names[stage] : "unknown stage";
}
