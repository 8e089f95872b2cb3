/* The drainer: closes listeners after the connections in their queues have been accepted. logic/policy/drain decides
 * when that is the case. Called in a pool's turn and by reloads and orders. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct closing_row;
struct pool;
struct pool_listener;

/* A closing listener as a row for the policy. */
struct closing_row drainer_row_of(const struct pool_listener *item);

/* Connections wait on the closing listener number `at`. */
void drainer_note_queue(struct pool *pool, size_t at, uint64_t now_ms);

/* None waits there, for the first time, but a program that reports nothing may serve the last. */
void drainer_note_empty(struct pool *pool, size_t at, uint64_t now_ms);

/* A helper of that generation has ended and had served nobody. A few of those, and what waits at its listeners is given
 * up: a reload may have changed the handler to one that cannot serve it, such as one for connections where datagrams
 * wait, and each failure makes the whole pool back off. */
void drainer_note_failed_helper(struct pool *pool, uint64_t generation);

/* The closing listener number `at` has drained, or was given up: close it. The following ones move up. */
void drainer_finish(struct pool *pool, size_t at);

/* Begin to drain a listener; `item` is one of pool->listeners and no longer valid afterwards. Workers of generations up
 * to `last_generation` have it. Cannot fail: room was reserved when it was opened. */
void drainer_close_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation);

/* The same for a listener whose address another one has by now, or will have. */
void drainer_replace_listener(struct pool *pool, struct pool_listener *item, uint64_t last_generation);
