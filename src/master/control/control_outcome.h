/* Replies to what takes a while (`reload`, `reload --dry-run`, `upgrade`), given when it is known what came of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "logic/policy/reload_changes.h"
#include "master/control/control_client.h"

/* What came of it. */
struct control_outcome {
        enum control_wait what; /* which clients have waited for it */
        uint64_t load; /* of reading a configuration: its number; clients that asked when it was being read already
                        * wait for the next one. Otherwise UINT64_MAX: it is for all of them */
        bool accepted;
        const char *error;                    /* if not: the word for it; NULL: "refused" */
        const char *message;                  /* … and one sentence */
        const struct reload_changes *changes; /* of a reload that was accepted, or would be */
        const struct problem_list *problems;  /* errors or warnings; NULL: none */
        const char *from;                     /* of an upgrade that was accepted: the version before */
        const char *program;                  /* … and the path of the one that runs now */
};

/* Answer those who wait for it. */
void control_outcome_tell(struct control_clients *clients, const struct control_outcome *outcome);

/* Nothing will come of any of it, for a reason of one word (an error of preforkd-control(7)) and one sentence: answer
 * everybody who waits. */
void control_outcome_fail(struct control_clients *clients, const char *error, const char *message);

/* Nothing will come of the reloads alone. */
void control_outcome_fail_reloads(struct control_clients *clients, const char *error, const char *message);
