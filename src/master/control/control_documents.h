/* The documents that only tell: `status` and `why`, for clients of the control socket and for status pools. */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct pool_table;
struct status_of_daemon;

/* The reply to `status`, with the workers or without, of all pools or those named `pool` (NULL: all). *ret_found: of
 * how many. NULL: out of memory. */
json_t *control_document_status(const struct status_of_daemon *about, const struct pool_table *pools, const char *pool,
                                unsigned detail, size_t *ret_found);

/* The reply to `why`, likewise. */
json_t *control_document_why(const struct pool_table *pools, const char *pool, size_t *ret_found);
