/* Whether a system call touches the connection: the rows of the table in touch/calls name these. Used by touch/ alone.
 */
#pragma once

#include "preload/touch/call.h"

#if defined(__x86_64__)
/* Its descriptor is the connection: the first argument, the first or second, the first or third, the third. */
bool looks_first(const struct call *call);
bool looks_first_two(const struct call *call);
bool looks_first_third(const struct call *call);
bool looks_third(const struct call *call);

/* Always: what it does cannot be looked at. */
bool looks_always(const struct call *call);

bool looks_fcntl(const struct call *call);       /* but F_GETFD, F_SETFD, F_GETFL */
bool looks_ioctl(const struct call *call);       /* but whether it is a terminal, and FIOCLEX */
bool looks_poll(const struct call *call);        /* with events */
bool looks_select(const struct call *call);      /* in any of the sets */
bool looks_close_range(const struct call *call); /* in the range */
bool looks_message(const struct call *call);     /* sends it, or sends over it */
bool looks_messages(const struct call *call);    /* sendmmsg(2) */
bool looks_execve(const struct call *call);      /* a program into which the object cannot be loaded */
#endif
