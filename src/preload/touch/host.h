/* What touch/ and the object that it is part of tell each other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/touch_refusal.h"

/* What the object provides. All are called in the handler of SIGSYS, with all signals blocked. */
struct touch_host {
        int family;      /* of the listener: AF_INET, AF_INET6, AF_UNIX */
        bool stderr_too; /* descriptor 2 is the connection, too */
        /* A program that accepts connections itself forks its workers where there is no preforkd: a file without a
         * name that it writes to is meant for all of them. */
        bool shares_temporary_files;

        /* Signals (bits) that are blocked, and stay so until the stop whatever the program does: they are the object's.
         * For the program none of them was blocked at its start. */
        uint64_t kept_signals;

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
