/* The workers of a pool over the last minutes, as a picture on its card. Part of web/page_card. */
#pragma once

struct html;
struct status_pool;

/* Nothing where the master keeps no history. */
void page_history_put(struct html *html, const struct status_pool *pool);
