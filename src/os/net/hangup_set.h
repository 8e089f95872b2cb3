/* A set of listeners that becomes readable when one of them hangs up: when some process that shares it has shut it
 * down. Connections that wait do not make it readable.
 *
 * A listener tells so once; the kernel forgets it when the last process has closed it. */
#pragma once

#include <stdbool.h>

/* Returns a descriptor (epoll(7)) that the caller owns, or -errno. */
int hangup_set_open(void);

/* Add a listener, or let one that has told tell again. 0 or -errno. */
int hangup_set_add(int set, int listener);

/* Forget what has hung up so far. True if something has. */
bool hangup_set_take(int set);
