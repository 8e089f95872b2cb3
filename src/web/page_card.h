/* A pool on the page: a card with its state, its workers, its times, its queues and its last decisions; and its
 * problems, which come first.
 *
 * Called by web/page. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct html;
struct status_pool;

/* What a pool's card says of it. `index` is its place among the pools, of which the identifiers are made; `decisions`
 * is the list of `why`, NULL: there is none. */
struct page_card {
        const struct status_pool *pool;
        size_t index;
        bool is_shadowed;
        const json_t *decisions;
        uint64_t memory_bytes; /* of the machine, as are … */
        unsigned cpus;         /* … these; 0: not known */
};

void page_card_put(struct html *html, const struct page_card *card);

/* How bad the state of a pool is: 0 is good, and more is worse. What is bad is shown first. */
unsigned page_card_severity(const struct status_pool *pool);

/* A line of the list of problems, if the pool has any. True: it has. */
bool page_card_put_problem(struct html *html, const struct page_card *card);
