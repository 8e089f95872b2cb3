/* The drainer: listeners that close. What the kernel has accepted on them is served first; logic/policy/drain says when
 * that is so. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct closing_row;
struct pool;
struct pool_listener;

/* A listener that closes, as the policy sees it. */
struct closing_row drainer_row_of(const struct pool_listener *item);

/* Somebody waits on the closing listener number `at`. */
void drainer_note_queue(struct pool *pool, size_t at, uint64_t now_ms);

/* The closing listener number `at` has drained: close it. Those behind it move up. */
void drainer_finish(struct pool *pool, size_t at);

/* Let a listener drain; `item` is one of pool->listeners and not valid any more. Workers of generations up to
 * `last_generation` have it. Cannot fail: room was reserved when it was opened. */
void drainer_close_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation);
