/* When `start_method = auto` and `copy = auto` give up, while a pool runs, what they have chosen: to the next lesser
 * method, and to copies by fork. Pure.
 *
 * Part of a pool; written by master/pool/pool_fallback, which says what has happened. It holds until the pool's workers
 * are replaced by a reload or a restart; then the choice of the configuration is tried again. What must stay true: an
 * explicit method or copy is never given up; each generation gives up at most once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "logic/config/config.h"

/* Workers that end because the memory of their copies cannot be put back. */
struct fallback_ends {
        uint64_t requests; /* of the pool, when this was begun */
        unsigned count;
};

/* Zero-initialise: what was chosen is used. The causes are numbers of pool_fallback; 0: there is none. */
struct fallback {
        unsigned start_cause, copy_cause;
        unsigned start_method; /* enum start_method: what is used, if there is a cause */
        struct fallback_ends ends;
};

/* True if something was given up. */
bool fallback_is_any(const struct fallback *fallback);

/* What `config`, a copy, chooses then. */
void fallback_apply(const struct fallback *fallback, struct pool_config *config);

/* Give up the method that `config` uses, if it may: its template does not get ready. False: it may not. */
bool fallback_start_method(struct fallback *fallback, const struct pool_config *config, unsigned cause);

/* Give up copies by rollback, if `config` may. False: it may not. */
bool fallback_copy(struct fallback *fallback, const struct pool_config *config, unsigned cause);

/* One more worker has ended, and the pool has had so many requests. True: it happens so often that forks are cheaper.
 */
bool fallback_is_often(struct fallback_ends *ends, uint64_t requests);
