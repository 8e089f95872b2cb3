/* Why a program cannot be copied at its first touch of the connection, or at its first wait for one: the reasons by
 * name. Found by preload/touch; reported by the template to the master, as a number (lib/template_words), and by both
 * to people. New ones are added at the end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Why a program cannot be copied at the point where it has stopped. */
enum touch_refusal {
        TOUCH_FINE,
        TOUCH_THREADS,        /* it has threads, or shares its memory */
        TOUCH_CHILDREN,       /* it has children that it has not waited for */
        TOUCH_USED_BY_CHILD,  /* a child has read from the connection, or written to it */
        TOUCH_FILTER,         /* it has installed a seccomp filter or Landlock rules */
        TOUCH_RINGS,          /* asynchronous I/O */
        TOUCH_LOCKS,          /* it holds locks on files */
        TOUCH_TEMPORARY_FILE, /* it writes to a file that has no name: all copies would share it */
        TOUCH_CLOSED_FILE,    /* an open file cannot be opened again, or there is no /proc */
        TOUCH_SHARED_OBJECT,  /* all copies would share it, and it is none of those below */
        TOUCH_TOO_MANY,       /* more open files or timers than are kept */
        TOUCH_PIPE,           /* all copies would share it, … */
        TOUCH_CONNECTION,     /* … and that, … */
        TOUCH_LISTENER,       /* … and that, … */
        TOUCH_TIMER,          /* … and that: a timerfd */
        TOUCH_REFUSALS
};

/* A refusal and the descriptor that it is about (-1: none) as one number. What has no descriptor is its own number. */
uint32_t touch_refusal_pack(enum touch_refusal refusal, int fd);
enum touch_refusal touch_refusal_unpack(uint32_t packed);

/* In words: "it has threads", "it has a connection open that all copies would share: descriptor 5". Any number may be
 * asked for. What does not fit is cut off. Returns `buffer`. */
#define TOUCH_REFUSAL_BYTES 128
const char *touch_refusal_describe(uint32_t packed, char buffer[static TOUCH_REFUSAL_BYTES]);
