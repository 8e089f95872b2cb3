/* The status as the control protocol writes it (preforkd-control(7)), read back into the structure that outputs render.
 *
 * Called by preforkctl and by the workers of a status pool, which get the document from the master. It may come from
 * another version of preforkd: what is missing is 0, what is unknown is ignored. */
#pragma once

#include <jansson.h>

#include "logic/status/status.h"

/* Read the reply to `status`. Its strings are borrowed from the document. Of workers, templates and overlays nothing is
 * read. Free it with status_clear(). 0; -EPROTO: it is no such document; -ENOMEM. */
int status_document_read(const json_t *document, struct status *ret);

/* Read of a pool, in the reply to `status` or to `why`, what decides how many workers it has: limits, adaptive, starts.
 */
void status_document_read_scaling(const json_t *pool, struct status_pool *ret);
