/* The hand-over: the whole master as a document, for the program that takes its place in the same process.
 *
 * The pid stays, and with it the children; descriptors are kept open across exec(2), so listeners, scoreboards, pipes and
 * connections go on; everything else is written down and made anew. A trial run does the same on a copy of the document
 * and of the descriptors, up to the point where it would begin to act, so that whatever fails fails there.
 *
 * What must stay true: reading acts on nobody. No signal, no message, no change of a socket or a file, until
 * handover_begin(). */
#pragma once

#include "master/daemon/daemon.h"
#include "master/state/state_file.h"

/* Write the master down. 0; -ENOMEM. The document is the caller's to end by state_file_forget(), also on failure. */
int handover_write(const struct daemon *daemon, struct state_file *file);

/* Become what the document at `fd` says: `master` is new and empty. Warnings, and what is wrong, go to `problems`. 0 or
 * -errno: then there is nothing to be done but to exit without touching anything. */
int handover_read(struct daemon *daemon, int fd, struct problem_list *problems);

/* Begin: collect the children that have ended meanwhile, look at every pool, and answer who waited for it, with the
 * warnings there were. */
void handover_begin(struct daemon *daemon, const struct problem_list *problems);
