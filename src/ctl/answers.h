/* Answers for people except the status: decisions, reloads, problems, and what was done. Pure: documents in, text out.
 * Called by ctl/preforkctl. */
#pragma once

#include <jansson.h>

#include "base/text.h"

/* The decisions of every pool of the document, the oldest first as in a log. All of these return 0 or -ENOMEM. */
int ctl_answer_why(const json_t *document, struct text *text);

/* What a reload does to each pool. */
int ctl_answer_reload(const json_t *document, struct text *text);

/* One line about what a command has done; the document names the command. */
int ctl_answer_done(const json_t *document, struct text *text);

/* Each problem as a line `file:line: text`. */
int ctl_answer_problems(const json_t *document, struct text *text);
