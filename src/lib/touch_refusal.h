/* Why a program cannot be copied at its first touch of the connection, or at its first wait for one: the reasons by
 * name. Found by preload/touch; reported by the template to the master, as a number (lib/template_words), and by both
 * to people. New ones are added at the end. */
#pragma once

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
        TOUCH_SHARED_OBJECT,  /* a pipe, a connection, a timerfd or the like: all copies would share it */
        TOUCH_TOO_MANY,       /* more open files or timers than are kept */
        TOUCH_REFUSALS
};

/* In words: "it has threads". Any number may be asked for. */
const char *touch_refusal_text(enum touch_refusal refusal);
