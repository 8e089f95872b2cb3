/* Who takes part in a reload: the log, the control socket, the descriptors, the pools with their listeners, and whoever
 * comes. Each is a struct reload_participant beside what it is about; the daemon lists them.
 *
 * A reload has two phases. Phase one prepares: it opens, reserves and asks for whatever the new configuration needs
 * beside what is in use; it may fail, and is undone then. Phase two commits: it cannot fail, so it asks the system for
 * nothing that may be refused. A dry run checks: it finds out what phase one would meet, and nobody notices.
 *
 * What must stay true: whatever prepare() holds is given up by either commit() or undo(), and one reload is finished
 * before the next begins, so that a participant keeps what it has prepared in its own structure. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"
#include "logic/config/config.h"
#include "logic/policy/reload_diff.h"

/* One configuration in the place of another. */
struct reload_context {
        const struct config *effective; /* what the new one is compared with: the running one with its overlays */
        struct config *old_config;      /* the running one itself; NULL: the start, a reload from nothing */
        struct config *new_config;
        const struct reload_plan *plan; /* what becomes of each pool */
        struct problem_list *problems;
};

/* What is NULL is not needed. */
struct reload_participant {
        const char *name; /* for people and tests */
        /* What prepare() would meet, as problems. Nothing is opened, made or changed. */
        void (*check)(const void *owner, const struct reload_context *context);
        /* 0; -errno with a problem that is an error, -ENOMEM without one: then it holds nothing. */
        int (*prepare)(void *owner, const struct reload_context *context);
        void (*commit)(void *owner, const struct reload_context *context);
        void (*undo)(void *owner, const struct reload_context *context);
};

/* In the order in which they prepare and commit; zero-initialise. */
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

/* Phase one. When somebody has failed, those behind only check, so that all problems are told and nothing more is
 * opened; then those before are undone in reverse order. 0 or the first -errno. */
int reload_participants_prepare(const struct reload_participants *list, const struct reload_context *context);

/* Phase two. */
void reload_participants_commit(const struct reload_participants *list, const struct reload_context *context);
