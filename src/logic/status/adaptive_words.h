/* What adaptive scaling goes by in a pool, in words: levels, and what a start is worth, with the arithmetic. Pure.
 *
 * Called by preforkctl (`why`, `status`), by the page of status pools, and by logic/status/sizing_spare. */
#pragma once

#include <stdint.h>

struct status_pool;
struct text;

/* Append "level 30 has been idle for 3.2s of 42s; a start is worth 42s of an idle worker (…); no spare ones, because
 * …". The pool's adaptive, starts and limits must be known. 0 or -ENOMEM. */
int adaptive_words_append(const struct status_pool *pool, uint64_t memory_bytes, unsigned cpus, struct text *text);

/* Append " (1.0ms / 2 processors x 8.0G / 8.0M)", as logic/policy/worth weighs it; nothing where something is not
 * known. 0 or -ENOMEM. */
int adaptive_words_append_worth(const struct status_pool *pool, uint64_t memory_bytes, unsigned cpus,
                                struct text *text);
