/* The numbers under the names that others have given them: php-fpm's status, the php-fpm exporter's metrics, and
 * Apache's server-status, so that what reads those reads us. What preforkd does not know is left out, or 0 where a
 * reader cannot do without. */
#pragma once

#include <jansson.h>

struct status;
struct status_pool;
struct text;

/* Metrics of all pools, in the text format. 0 or -ENOMEM. */
int dialect_php_fpm_metrics(const struct status *status, struct text *text);

/* A pool as php-fpm's `status?json`; `document` is its object in the master's. 0 or -ENOMEM. */
int dialect_php_fpm_json(const struct status *status, const struct status_pool *pool, const json_t *document,
                         struct text *text);

/* All pools together, or one (NULL: all), as Apache's `server-status?auto`. 0 or -ENOMEM. */
int dialect_apache(const struct status *status, const struct status_pool *pool, struct text *text);
