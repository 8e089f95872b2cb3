/* The participants of a reload: the log, the control socket, the descriptor limit, the pools with their listeners, and
 * so on. Each module defines its struct reload_participant; the daemon lists them (daemon/reload_host), and reload.c
 * calls them.
 *
 * A reload has two phases. Phase one prepares: it opens and reserves whatever the new configuration needs in addition
 * to what is in use. It may fail and is undone then. Phase two commits: it cannot fail, so it requests nothing from the
 * system that may be refused. A dry run checks: it finds the problems that phase one would find, without visible
 * effects.
 *
 * What must stay true: whatever prepare() has acquired is taken or released by either commit() or undo(); and a reload
 * ends before the next begins, so that a participant can keep what it has prepared in its own structure. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"
#include "logic/config/config.h"
#include "logic/policy/reload_diff.h"

/* A replacement of one configuration by another. */
struct reload_context {
        const struct config *effective; /* the effective one, with which the new one is compared */
        struct config *old_config;      /* the running one without overlays; NULL at the start */
        struct config *new_config;
        const struct reload_plan *plan; /* the verb for each pool */
        struct problem_list *problems;
};

/* Functions may be NULL. */
struct reload_participant {
        const char *name; /* for logs and tests */
        /* Add the problems that prepare() would find. Nothing is opened, created or changed. */
        void (*check)(const void *owner, const struct reload_context *context);
        /* 0; on failure -errno with an error in `problems`, or -ENOMEM without one; then nothing is held. */
        int (*prepare)(void *owner, const struct reload_context *context);
        void (*commit)(void *owner, const struct reload_context *context);
        void (*undo)(void *owner, const struct reload_context *context);
};

/* The list, in the order of prepare() and commit(); zero-initialise. */
struct reload_participants {
        struct {
                const struct reload_participant *participant;
                void *owner; /* borrowed */
        } items[8];
        size_t count;
};

static inline void reload_participants_add(struct reload_participants *list,
                                           const struct reload_participant *participant, void *owner)
{
        assert(list->count < sizeof(list->items) / sizeof(list->items[0]));
        list->items[list->count].participant = participant;
        list->items[list->count++].owner = owner;
}

/* A dry run. */
void reload_participants_check(const struct reload_participants *list, const struct reload_context *context);

/* Phase one. When a participant fails, the following ones only check, so that all problems are reported and nothing
 * more is opened; then the preceding ones are undone in reverse order. 0 or the first -errno. */
int reload_participants_prepare(const struct reload_participants *list, const struct reload_context *context);

/* Phase two. */
void reload_participants_commit(const struct reload_participants *list, const struct reload_context *context);
