/* The preflight of an upgrade: the next program is executed as a child, with a copy of the state and of the
 * descriptors, and answers whether it could take over. The master continues to run meanwhile.
 *
 * Owned by struct upgrade. What must stay true: whatever the program does, it and the processes it leaves behind are
 * killed at the deadline, because they have our descriptors; and the master never blocks on it. */
#pragma once

#include "base/problem.h"

struct evloop;
struct preflight;
struct reaper;

/* The title of the child in ps(1). */
#define PREFLIGHT_TITLE "preflight of an upgrade"

/* All borrowed; must outlive the preflight. */
struct preflight_setup {
        struct evloop *loop;
        struct reaper *reaper;
        const char *path; /* for problems */
        void *context;    /* of the two functions below */
        /* Run in the child: execute the program. Returns -errno, if at all. */
        int (*execute)(void *context);
        /* Called once, when the child has been reaped, also after preflight_kill(). Without `problems` the program is
         * ready to take over; otherwise they say why not. The callee must call preflight_free(). */
        void (*ended)(void *context, const struct problem_list *problems);
};

/* Start it. 0 or -errno. */
int preflight_start(const struct preflight_setup *setup, struct preflight **ret);

/* Kill it; `ended` is called when it has been reaped. */
void preflight_kill(struct preflight *preflight);

/* Free it. A child that is still running is no longer watched. NULL is fine. */
void preflight_free(struct preflight *preflight);

/* In the program that was executed: write the answer to stdout, or the errors to stderr, and exit. Nothing is cleaned
 * up, because everything is in service in the master. Warnings are left out: the program logs them when it takes
 * over. */
_Noreturn void preflight_answer(int r, const struct problem_list *problems);
