/* A pool in the hand-over document: its listeners, scoreboard, workers, counters and whatever it is in the middle of. */
#pragma once

#include "master/state/state_file.h"

struct master;
struct pool;

/* Returns a new reference, or NULL for a lack of memory. */
json_t *handover_pool_write(const struct pool *pool, struct document *document);

/* Make the pool anew; its configuration is one of master->config, or in the document if it drains. Nothing is done yet, to
 * nobody: pool_touch() lets it go on. 0; -EPROTO with a complaint; -ENOMEM; -errno. */
int handover_pool_read(struct master *master, struct document *document, const json_t *object, struct pool **ret);
