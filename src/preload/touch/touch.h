/* The touch stop: lets a program start, and stops it at the first system call that concerns its connection.
 *
 * Called by the constructor of the preload object in a handler with `start_method = snapshot`. From touch_begin() on
 * every system call of the program passes through here (Syscall User Dispatch, prctl(2)), until one touches descriptor
 * 0 or 1, where a stand-in stands. Then the host is asked for copies. A copy gets its connection by
 * touch_put_connection(), and executes the touching call again, without dispatch, for good.
 *
 * What must stay true: the handler of SIGSYS executes no call whose effect is bound to the place of the call (masks,
 * forks, execs): it moves the program to a stub which does (touch/stub). Nothing is called that a program may have
 * replaced. What cannot work in a copy is refused by name, and never silently wrong. x86-64, Linux >= 5.11. */
#pragma once

#include <stdbool.h>
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
        TOUCH_SHARED_OBJECT,  /* a pipe, a connection, a timerfd or the like: all copies would share it */
        TOUCH_TOO_MANY,       /* more open files or timers than are kept */
        TOUCH_REFUSALS
};

/* For the log: "it has threads". */
const char *touch_refusal_text(enum touch_refusal refusal);

/* What the object provides. All are called in the handler of SIGSYS, with all signals blocked. */
struct touch_host {
        int family;      /* of the listener: AF_INET, AF_INET6, AF_UNIX */
        bool stderr_too; /* descriptor 2 is the connection, too */

        /* The descriptors of the object, which the program does not know: preload/own_fds. */
        bool (*has_fd)(int fd);
        unsigned (*next_fd)(unsigned first); /* the lowest from `first` on; UINT32_MAX: none */
        void (*make_way)(int fd);            /* the program wants that number */
        void (*pass_on)(bool keep);          /* a program that is executed next keeps them, or does not */

        /* The environment for a program that is executed in this one's place: preload/environment. `to` has place for
         * as many pointers as `environment_room` said. */
        size_t (*environment_room)(char *const *environment);
        void (*environment_extend)(char *const *environment, char **to);

        /* Make copies. Returns in a copy, after touch_put_connection(), on the same stack. A copy that shares the
         * memory calls enter(point) instead, on any stack: it goes on in the program from there, as often as the
         * memory is as it was at this call. */
        void (*run)(void *point, void (*enter)(void *point));

        /* The program cannot be copied; does not return. */
        void (*refused)(enum touch_refusal refusal);
};

/* Put the stand-in on 0 and 1 (and 2 if `stderr_too`), and begin to watch. `host` must stay. 0; -ENOSYS, -EINVAL: the
 * kernel or machine has no dispatch; others of socket(2). */
int touch_begin(const struct touch_host *host);

/* In a copy: put the connection on every descriptor that is still the stand-in; each keeps its close-on-exec flag.
 * `connection` stays open. */
void touch_put_connection(int connection);

/* At the stop: the program's own signal mask. */
uint64_t touch_mask(void);
