/* The status for people: a summary, a table of the pools, one pool in full, its workers. Documents in, text out. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"

/* "preforkd 0.1.0, pid 4711, running for 3h 12m: …" and a newline. 0 or -ENOMEM, as with all of these. */
int ctl_status_summary(const json_t *document, struct text *text);

/* The table of all pools of the document. */
int ctl_status_pools(const json_t *document, struct text *text);

/* Everything about one pool but its workers. */
int ctl_status_pool(const json_t *pool, struct text *text);

/* Its workers. */
int ctl_status_workers(const json_t *pool, struct text *text);

/* "exit 1", "signal 9", "-". Returns `text`. */
const char *ctl_status_exit(const json_t *worker, char text[static 32]);

/* The whole answer to `status`: with `in_full`, every pool of the document in full. */
int ctl_status_print(const json_t *document, bool in_full, struct text *text);
