/* The worker's link to the master: asks for documents, and waits for them, not for long.
 *
 * Owned by the status server (web/) or the agent (builtin/), one a process. What must stay true: a master that does not
 * answer, or has gone, costs a client no more than the patience; a late answer is not taken for that to another
 * question; at most one question of a kind is on its way. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logic/protocol/status_link.h"

/* A document as it was received last. */
struct master_document {
        const char *bytes; /* mapped; NULL: none yet */
        size_t length;
        uint64_t received_ms;
        uint32_t asked; /* the number of the question that is on its way; 0: none */
};

struct master_link {
        int fd; /* borrowed */
        uint32_t number;
        struct master_document documents[STATUS_LINK_DOCUMENT_COUNT];
};

/* Get a document that is not older than a moment. 0 with its bytes, which are valid until it is asked for again;
 * -ETIMEDOUT: the master has not answered within `patience_ms`; -EPIPE: it has gone; -errno: it has none. */
int master_link_get(struct master_link *link, enum status_link_document document, unsigned patience_ms,
                    const char **ret_bytes, size_t *ret_length);

void master_link_clear(struct master_link *link);
