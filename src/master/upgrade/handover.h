/* The hand-over: the whole master as a document, for the program that takes its place in the same process.
 *
 * The pid stays, and with it the children; descriptors are kept open across exec(2), so listeners, scoreboards, pipes
 * and connections go on; everything else is written down by its own module and made anew: a list of parts, of which
 * nothing is known here. A preflight does the same on a copy of the document and of the descriptors, up to the point
 * where it would begin to act, so that whatever fails fails there. */
#pragma once

#include <stdbool.h>

#include "base/problem.h"
#include "master/state/state_part.h"

/* Of a program that was executed in the place of another: where its state is. */
struct take_over {
        bool wanted;
        bool is_preflight; /* only to find out whether it could be done */
        int fd;
};

/* Write all parts down. 0; -ENOMEM. The document is the caller's to end by state_file_forget(), also on failure. */
int handover_write(const struct state_parts *parts, struct state_file *file);

/* Have all parts read the document at `fd`; their owners are new and empty. Warnings, and what is wrong, go to
 * `problems`. 0 or -errno: then there is nothing to be done but to exit without touching anything. */
int handover_read(const struct state_parts *parts, int fd, struct problem_list *problems);

/* Let all parts begin. */
void handover_begin(const struct state_parts *parts);
