/* What is done to all options of a configuration alike, by the option table: set to defaults, freed.
 *
 * Called by everybody who creates or frees a configuration. */
#pragma once

#include "logic/config/config.h"

/* Set every option that was not set, or was refused, to its default: that of [defaults], unless it has no effect in the
 * pool, or that of the table. config_finish() does so too; call this before it
 * if something between parsing and finishing needs the defaults. 0 or -ENOMEM. */
int config_set_defaults(struct config *config);

/* The same for one option of one pool. */
int config_set_pool_default(struct pool_config *pool, enum pool_option option);

/* Free one pool and what it owns; NULL is fine. */
void pool_config_free(struct pool_config *pool);

/* Free what the configuration owns; it is empty afterwards and may be used again. */
void config_clear(struct config *config);
