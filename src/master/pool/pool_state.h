/* Writes a pool to the hand-over document and reads it: its listeners, scoreboard, workers, counters and operations in
 * progress. Called by daemon/state_parts. */
#pragma once

#include "logic/config/config.h"
#include "master/state/state_file.h"

struct pool;
struct pool_runtime;

/* What pool_state_read() needs to create a pool. */
struct pool_state_context {
        const struct pool_runtime *runtime;
        const struct config *config; /* the running one */
        struct config_context rules; /* for the configuration of a closing pool */
};

/* `master` is of the running configuration. Returns a new reference, or NULL if memory is short. */
json_t *pool_state_write(const struct pool *pool, const struct master_config *master, struct state_file *file);

/* Create the pool. Its configuration is taken from the running configuration, or from the document if the pool is
 * closing. This has no outside effect; pool_touch() starts its turns. 0; -EPROTO with an error; -ENOMEM; -errno. */
int pool_state_read(const struct pool_state_context *context, struct state_file *file, const json_t *object,
                    struct pool **ret);
