/* The upgrade in place: executes another program, or the same file after a package update, in this process.
 *
 * First comes the preflight (preflight.h), in which the program has ten seconds to answer whether it could take over.
 * Then the state is written again and the program replaces the master. If any of this fails, the master continues
 * unchanged. Owned by struct daemon, which hands in the parts to write and is told of a failure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "logic/protocol/take_over.h"
#include "master/state/state_part.h"
#include "master/upgrade/handover.h"

struct evloop;
struct reaper;
struct upgrade;

/* What an upgrade needs from the daemon. */
struct upgrade_host {
        void *context;
        /* True while something is in progress that the execution would lose; the daemon calls upgrade_continue() when
         * it has ended. */
        bool (*is_busy)(void *context);
        /* Set the environment variables that the next program reads, or remove them again. 0 or -ENOMEM. */
        int (*set_environment)(void *context);
        void (*clear_environment)(void *context);
        /* The upgrade has failed; `problems` say why. */
        void (*failed)(void *context, const struct problem_list *problems);
};

/* All borrowed. */
struct upgrade_setup {
        struct evloop *loop;
        struct reaper *reaper;
        const struct state_parts *parts;
        const char *program;     /* the path of this program; NULL: not known */
        char *const *arguments;  /* its arguments, without argv[0] */
        const uint64_t *version; /* of the running configuration; if it changes, the preflight is repeated */
        struct upgrade_host host;
};

/* 0 or -ENOMEM. */
int upgrade_new(const struct upgrade_setup *setup, struct upgrade **ret);

/* Begin an upgrade. `path` NULL: the path preforkd was started by. `by` says for the log who ordered it. While an
 * upgrade is in progress, a further one is ignored with a log line. */
void upgrade_begin(struct upgrade *upgrade, const char *path, const char *by);
bool upgrade_is_under_way(const struct upgrade *upgrade);

/* The daemon is no longer busy (host.is_busy): continue. */
void upgrade_continue(struct upgrade *upgrade);

/* The same, in a turn of the loop of its own. */
void upgrade_look_again(struct upgrade *upgrade);

/* Cancel: the master stops. host.failed() is not called. */
void upgrade_cancel(struct upgrade *upgrade);

/* Free it; a running preflight is no longer watched. NULL is fine. */
void upgrade_free(struct upgrade *upgrade);

/* In the program that was executed: read the state. In a preflight this answers and does not return. 0: call
 * handover_begin() next; -errno, with `problems`: nothing was touched, and the process must exit without touching
 * anything. */
int upgrade_take_over(const struct state_parts *parts, const struct take_over *take_over,
                      struct problem_list *problems);
