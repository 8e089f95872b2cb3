/* What the master is asked for over its link, as JSON and as the structure that outputs render.
 *
 * Called by the workers of status pools: the status server (web/) and the agent (builtin/). */
#pragma once

#include <jansson.h>

#include "document/master_link.h"
#include "document/status_document.h"

/* Get a document. 0 with a reference; the errors of master_link_get(); -EPROTO: it is no JSON. */
int master_json_get(struct master_link *link, enum status_link_document which, unsigned patience_ms, json_t **ret);

/* Get a status. 0 with a reference to the document, from which the status borrows its strings, and with the status:
 * free it with status_clear() first. The errors of master_json_get() and of status_document_read(). */
int master_status_get(struct master_link *link, enum status_link_document which, unsigned patience_ms,
                      json_t **ret_json, struct status *ret);
