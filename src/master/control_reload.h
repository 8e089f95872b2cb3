/* Replies to `reload` and `reload --dry-run`, given when it is known what came of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "logic/reload_changes.h"
#include "master/control_client.h"

struct control;

/* What came of reading a configuration. */
struct control_outcome {
        enum control_wait what; /* which clients have waited for it */
        uint64_t load;          /* its number: clients that asked when it was being read already wait for the next one */
        bool accepted;
        const char *message;    /* if not: one sentence */
        const struct reload_changes *changes;
        const struct problem_list *problems; /* errors or warnings; NULL: none */
};

/* Answer those who wait for it. */
void control_reload_done(struct control *control, const struct control_outcome *outcome);

/* Nothing will come of any of it, for a reason of one sentence: answer everybody who waits. */
void control_reload_failed(struct control *control, const char *message);
