/* A pool in the hand-over document: its listeners, scoreboard, workers, counters and what it is in the middle of. */
#pragma once

#include "logic/config/config.h"
#include "master/state/state_file.h"

struct pool;
struct pool_runtime;

/* What a pool is made anew with. */
struct pool_state_context {
        const struct pool_runtime *runtime;
        const struct config *config; /* the running one */
        struct config_context rules; /* for the configuration of a pool that closes */
};

/* `master` is the running configuration's. Returns a new reference, or NULL for a lack of memory. */
json_t *pool_state_write(const struct pool *pool, const struct master_config *master, struct state_file *file);

/* Make the pool anew; its configuration is one of the running configuration, or in the document if it closes. Nothing
 * is done yet, to nobody: pool_touch() lets it go on. 0; -EPROTO with a error; -ENOMEM; -errno. */
int pool_state_read(const struct pool_state_context *context, struct state_file *file, const json_t *object,
                    struct pool **ret);
