/* The workers of all pools on the page, as a table.
 *
 * Called by web/page. */
#pragma once

#include <jansson.h>

struct html;

/* The most rows of a pool: the others are counted. */
#define PAGE_WORKERS_MAX 250

/* `pools` is the list in the reply to `status --workers`. */
void page_workers_put(struct html *html, const json_t *pools);
