/* The upgrade in place: another program (or the same file, which a package has replaced) goes on as this process.
 *
 * First a preflight (see there), with ten seconds to say whether the program could take over. Then the state is written
 * afresh and the program executed in the master's place. If that fails the master goes on as if nothing had been. Owned
 * by struct daemon, which hands in what is to be written down and hears what came of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "master/state/state_part.h"
#include "master/upgrade/handover.h"

struct evloop;
struct reaper;
struct upgrade;

/* Whose process it is. */
struct upgrade_host {
        void *context;
        /* True while something is under way that an execution would lose; upgrade_continue() is called at its end. */
        bool (*is_busy)(void *context);
        /* Put into the environment what the next program reads there, and take it away again. 0 or -ENOMEM. */
        int (*set_environment)(void *context);
        void (*clear_environment)(void *context);
        /* The upgrade has come to nothing; `problems` say why. */
        void (*failed)(void *context, const struct problem_list *problems);
};

/* All borrowed. */
struct upgrade_setup {
        struct evloop *loop;
        struct reaper *reaper;
        const struct state_parts *parts;
        const char *program;     /* the path this program was started by; NULL: not known */
        char *const *arguments;  /* those it was started with, without its name */
        const uint64_t *version; /* of the configuration: what no preflight has read is not executed */
        struct upgrade_host host;
};

/* 0 or -ENOMEM. */
int upgrade_new(const struct upgrade_setup *setup, struct upgrade **ret);

/* Begin, for a reason that goes into the log. `path` NULL: the path preforkd was started by. One at a time: while one
 * is under way, the wish for another is left at that. */
void upgrade_begin(struct upgrade *upgrade, const char *path, const char *by);
bool upgrade_is_under_way(const struct upgrade *upgrade);

/* What an upgrade may have waited for has ended: go on. */
void upgrade_continue(struct upgrade *upgrade);

/* Give up: the master stops. Tells nobody. */
void upgrade_cancel(struct upgrade *upgrade);

/* Free; a preflight is nobody's any more. NULL is fine. */
void upgrade_free(struct upgrade *upgrade);

/* What the program that was executed does: read the state. In a preflight it answers, and does not return. Otherwise 0,
 * and handover_begin() is next; or -errno, with `problems`: nothing was touched, and the process must end so. */
int upgrade_take_over(const struct state_parts *parts, const struct take_over *take_over,
                      struct problem_list *problems);
