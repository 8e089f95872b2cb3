/* Values in the documents of the control protocol. Called by all that build a document.
 *
 * Every function returns a new reference, or NULL if memory is short. */
#pragma once

#include <jansson.h>
#include <stdint.h>

/* INT64_MAX at most. */
json_t *json_value_number(uint64_t value);

/* `?` replaces the bytes that are not UTF-8, such as of a file name. */
json_t *json_value_text(const char *string);

/* Wall-clock time as 2026-01-31T23:59:59.123Z. */
json_t *json_value_time(uint64_t wall_ms);
