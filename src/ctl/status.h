/* The status for people: a summary, one pool in full, its workers (the table of pools: ctl/status_pools). Pure:
 * documents in, text out. Called by ctl/preforkctl and ctl/top. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"
#include "ctl/style.h"

/* The first line: "preforkd 0.1.0, pid 4711, running, up 3h 12m: …". All of these return 0 or -ENOMEM. */
int ctl_status_summary(const json_t *document, struct text *text);

/* Everything about one pool except its workers. */
int ctl_status_pool(const json_t *pool, struct ctl_style style, struct text *text);

/* Its processes: templates, then workers. */
int ctl_status_workers(const json_t *pool, struct ctl_style style, struct text *text);

/* What a template does, where workers have their state: "template" if it is ready, or "template, starting". Returns
 * `text`. */
const char *ctl_status_template(const json_t *template, char text[static 32]);

/* How the last handler ended: "exit 1", "signal 9" or "-". Returns `text`. */
const char *ctl_status_exit(const json_t *worker, char text[static 32]);

/* The whole answer to `status`; with `in_full` it shows every pool of the document in full. */
int ctl_status_print(const json_t *document, bool in_full, struct ctl_style style, struct text *text);
