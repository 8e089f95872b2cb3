/* The page for people: one document that needs nothing else. What a browser gets is the whole page, without scripts
 * too; its script asks for the page again and takes over what has changed.
 *
 * Called by web/answers. Its parts are in page_card and page_workers. */
#pragma once

#include <jansson.h>

struct status;
struct text;

/* Append the page. `document` is the reply to `status --workers`, which `status` was read from, and `why` that to
 * `why`. 0 or -ENOMEM. */
int page_render(const struct status *status, const json_t *document, const json_t *why, struct text *text);
