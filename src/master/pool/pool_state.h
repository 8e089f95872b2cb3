/* A pool in the hand-over document: its listeners, scoreboard, workers, counters and whatever it is in the middle of. */
#pragma once

#include "master/state/state_file.h"

struct daemon;
struct pool;

/* Returns a new reference, or NULL for a lack of memory. */
json_t *pool_state_write(const struct pool *pool, struct state_file *file);

/* Make the pool anew; its configuration is one of master->config, or in the document if it drains. Nothing is done yet, to
 * nobody: pool_touch() lets it go on. 0; -EPROTO with a error; -ENOMEM; -errno. */
int pool_state_read(struct daemon *daemon, struct state_file *file, const json_t *object, struct pool **ret);
