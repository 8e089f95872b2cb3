/* What a worker of a status pool and the master say to each other, over a socket of packets. Data only.
 *
 * The worker asks for a document; the answer has a file in memory beside it, which nobody can change. Workers outlive
 * the program that made them, so this is a protocol between versions: a member keeps its place and its meaning, a
 * document its number. */
#pragma once

#include <stdint.h>

/* The documents are those of the control protocol. */
enum status_link_document {
        STATUS_LINK_STATUS,
        STATUS_LINK_WORKERS, /* status --workers */
        STATUS_LINK_WHY,
        STATUS_LINK_DOCUMENT_COUNT
};

struct status_link_request {
        uint32_t number; /* returned in the answer */
        uint32_t document;
};

struct status_link_answer {
        uint32_t number;
        int32_t error; /* positive errno: there is no document; 0: it is in the file */
};
