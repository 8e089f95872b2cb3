/* How often workers of a pool log what clients can cause: one record of a kind in RECORD_LIMIT_S, with the number of
 * those that were left out since the one before.
 *
 * Called by all who accept for a handler: the accept loop and the preload object. All workers of a pool share one word
 * for each kind, in the scoreboard. A worker that writes garbage there silences no other pool. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RECORD_LIMIT_S 10

/* May a record be logged at `now_ns`? True: *ret_more is how many were left out since the last one. Async-signal-safe,
 * without a system call. */
bool record_limit_take(_Atomic uint64_t *word, uint64_t now_ns, uint32_t *ret_more);

/* What to append to the text of a record: "; and 3 more since the last such record", or "". Returns `text`. */
#define RECORD_LIMIT_TEXT_MAX 64
const char *record_limit_text(uint32_t more, char text[static RECORD_LIMIT_TEXT_MAX]);
