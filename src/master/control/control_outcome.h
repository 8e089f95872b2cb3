/* Answers clients that wait for a `reload`, a `reload --dry-run`, an `upgrade` or `reopen-logs`, when its outcome is
 * known. Called by the daemon (reload_host, upgrade_host, log_host, shutdown). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "logic/policy/reload_changes.h"
#include "master/control/control_client.h"

/* The outcome of one of these. */
struct control_outcome {
        enum control_wait what; /* selects the clients that wait for it */
        uint64_t load; /* the number of the read of the configuration, or of the order to open the log: clients that
                        * asked after it had begun wait for the next one. UINT64_MAX: answer all clients */
        bool accepted;
        const char *error;                    /* if not accepted: the error word; NULL: "refused" */
        const char *message;                  /* … and a sentence */
        const struct reload_changes *changes; /* of a reload that was accepted (dry run: would be) */
        const struct problem_list *problems;  /* errors or warnings; NULL: none */
        const char *from;                     /* of an upgrade: the version before */
        const char *program;                  /* … and the path of the program that runs now */
        const char *log_file;                 /* of reopen-logs: the path */
};

/* Answer the clients that wait for it. */
void control_outcome_tell(struct control_clients *clients, const struct control_outcome *outcome);

/* Answer all waiting clients with an error: one word of preforkd-control(7) and a sentence. */
void control_outcome_fail(struct control_clients *clients, const char *error, const char *message);

/* The same for the clients that wait for a reload or a dry run only. */
void control_outcome_fail_reloads(struct control_clients *clients, const char *error, const char *message);
