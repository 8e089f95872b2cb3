#include "logic/policy/worker_purpose.h"

#include <assert.h>

#include "base/cleanup.h"

static const char *const names[] = {
        [WORKER_SERVE] = "serve",     [WORKER_REFUSE] = "refuse", [WORKER_DRAIN] = "drain",
        [WORKER_REPLACE] = "replace", [WORKER_ROLL] = "roll",
};
static_assert(ELEMENTS(names) == WORKER_PURPOSE_COUNT, "a purpose without a name");

const char *worker_purpose_name(enum worker_purpose purpose)
{
        return (unsigned)purpose < WORKER_PURPOSE_COUNT ? names[purpose] : "unknown";
}
