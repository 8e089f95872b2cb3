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

/* Write all parts. 0 or -ENOMEM. The caller frees the document with state_file_forget(), also on failure. */
int handover_write(const struct state_parts *parts, struct state_file *file);

/* Have all parts read the document at `fd`; their owners are new and empty. Errors and warnings are added to
 * `problems`. 0; -errno: the descriptors are as after execve(2), whatever was done to them; the owners must not be
 * touched again. */
int handover_read(const struct state_parts *parts, int fd, struct problem_list *problems);

/* Call begin() of all parts. */
void handover_begin(const struct state_parts *parts);
