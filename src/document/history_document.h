/* The history of a pool, read back from a document of the control protocol. */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct history_row;

/* Read the member `history` of a pool: allocated, for the caller to free; none where the master did not write one. 0 or
 * -ENOMEM. */
int history_document_read(const json_t *pool, struct history_row **ret, size_t *ret_count);
