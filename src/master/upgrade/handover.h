/* The hand-over: the state of the whole master as a document, for the program that replaces it in the same process.
 *
 * The process keeps its pid and so its children; descriptors stay open across exec(2), and with them listeners,
 * scoreboards, pipes and connections. Everything else is written by the module that owns it and created anew from that:
 * a list of parts whose content is not known here. Called by upgrade.c. A preflight reads a copy of the document with
 * copies of the descriptors, and stops before handover_begin(), so that any failure happens there. */
#pragma once

#include <stdbool.h>

#include "base/problem.h"
#include "master/state/state_part.h"

/* How the program was started by an upgrade, and where its state is. */
struct take_over {
        bool wanted;
        bool is_preflight; /* only check whether it could take over */
        int fd;
};

/* Write all parts. 0 or -ENOMEM. The caller frees the document with state_file_forget(), also on failure. */
int handover_write(const struct state_parts *parts, struct state_file *file);

/* Have all parts read the document at `fd`; their owners are new and empty. Errors and warnings are added to
 * `problems`. 0; -errno: the process must exit without touching anything. */
int handover_read(const struct state_parts *parts, int fd, struct problem_list *problems);

/* Call begin() of all parts. */
void handover_begin(const struct state_parts *parts);
