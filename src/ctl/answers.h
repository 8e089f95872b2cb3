/* The other answers for people: decisions, reloads, problems, and what was done. Documents in, text out. */
#pragma once

#include <jansson.h>

#include "base/text.h"

/* The decisions of every pool of the document, the oldest first, as a log is read. 0 or -ENOMEM, as with all of these. */
int ctl_answer_why(const json_t *document, struct text *text);

/* What a reload does to each pool. */
int ctl_answer_reload(const json_t *document, struct text *text);

/* One line about what was done to a pool or worker, by the document's command. */
int ctl_answer_done(const json_t *document, struct text *text);

/* `file:line: text` of each problem, a line each. */
int ctl_answer_problems(const json_t *document, struct text *text);
