/* THE table of system calls: what touches the connection, and what needs care while the program is being watched. Used
 * by touch/touch. A call that has no row goes to the kernel as it is. */
#pragma once

#include "preload/touch/call.h"

#if defined(__x86_64__)
struct calls_row {
        bool (*touches)(const struct call *call); /* NULL: never */
        void (*acts)(const struct call *call);    /* what is done if it does not touch; NULL: nothing */
};

struct calls_row calls_row(long number);
#endif
