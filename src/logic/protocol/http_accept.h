/* The Accept header of HTTP (RFC 9110): how welcome a type of content is. Pure.
 *
 * Called by the status server. The header comes from anybody: whatever is in it, there is an answer. */
#pragma once

#include <stdbool.h>

/* The quality of `type` ("text/plain") in that `version` (NULL: it has none), in thousandths; 0: it is not acceptable.
 * *ret_named: a range names the type itself, not only all types or subtypes. A header that is NULL or empty accepts
 * everything. Ranges and parameters that cannot be read are passed over. */
unsigned http_accept_quality(const char *header, const char *type, const char *version, bool *ret_named);
