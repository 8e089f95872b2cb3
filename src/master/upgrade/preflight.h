/* The preflight of an upgrade: the next program is executed as a child, with a copy of the state and of the
 * descriptors, and says whether it could take over. The master goes on meanwhile.
 *
 * Owned by struct upgrade. What must stay true: whatever the program does, it and what it leaves behind end when its
 * time is up, because they have our descriptors; and it is never waited for. */
#pragma once

#include "base/problem.h"

struct evloop;
struct preflight;
struct reaper;

/* What ps shows of it. */
#define PREFLIGHT_TITLE "preflight of an upgrade"

/* All borrowed; must outlive the preflight. */
struct preflight_setup {
        struct evloop *loop;
        struct reaper *reaper;
        const char *path; /* for problems */
        void *context;    /* of the two below */
        /* Run in the child: execute the program. Returns -errno, if at all. */
        int (*execute)(void *context);
        /* Called once, when the child has been reaped: no problems, and the program is ready to take over, or why not.
         * To be called by preflight_free(). Also after preflight_kill(). */
        void (*ended)(void *context, const struct problem_list *problems);
};

/* Begin. 0 or -errno. */
int preflight_start(const struct preflight_setup *setup, struct preflight **ret);

/* Let it end now. */
void preflight_kill(struct preflight *preflight);

/* Free it; a child that has not been reaped yet is nobody's any more. NULL is fine. */
void preflight_free(struct preflight *preflight);

/* In the program that was executed: say what came of it, on stdout or stderr, and end. Nothing is put in order, for
 * everything is in service elsewhere, and of warnings the program itself will speak. */
_Noreturn void preflight_answer(int r, const struct problem_list *problems);
