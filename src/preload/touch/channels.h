/* What a program has open to talk to itself, or to wake itself up: eventfds, and pipes and socket pairs of which it has
 * both ends. Interpreters and event loops make them while they start. Used by touch/open_files alone.
 *
 * Each copy gets its own, as they were made; a fork(2) would have all copies talk to each other. What must stay true: a
 * channel to somebody else is never written to; one with something in it is refused. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "lib/touch_refusal.h"

/* CHANNEL_STDERR: another descriptor for what is stderr, which is the copy's own. */
enum channel_kind { CHANNEL_EVENT, CHANNEL_PIPE, CHANNEL_SOCKET, CHANNEL_STDERR };

/* Is it? */
bool channels_is_stderr(int fd, const struct stat *status);

/* At the stop: begin, add each descriptor that may be one, and find out what belongs together. False: there are too
 * many. TOUCH_FINE, or what it is that all copies would share, and *ret_fd: one end of a channel is not here; there is
 * something in one. */
void channels_begin(void);
bool channels_add(enum channel_kind kind, int fd, const struct stat *status);
enum touch_refusal channels_settle(int *ret_fd);

/* In a copy. False: one cannot be made. */
bool channels_renew(void);
