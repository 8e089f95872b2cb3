/* The configuration as somebody wants it anew: read by a child, taken up or refused, and whoever asked is told.
 *
 * Owned by struct daemon. One is read at a time; what is asked for meanwhile is read again afterwards, for it may be
 * newer. Whom it concerns is not known here: an observer hears what came of each. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "logic/config/config.h"
#include "logic/policy/reload_changes.h"
#include "master/config/config_child.h"

struct reload;

enum reload_kind {
        RELOAD_FIRST,   /* the start: a reload from nothing */
        RELOAD_REPLACE, /* the running configuration is to be replaced */
        RELOAD_DRY_RUN, /* what a reload would do */
};

/* What came of one. */
struct reload_outcome {
        enum reload_kind kind;
        uint64_t load;               /* the number of the reading; who asked when it had begun waits for the next */
        bool accepted;               /* it is the running one now, or would be */
        const struct config *config; /* if there is one: it is borrowed, and complete; NULL: none that could be read */
        int error;                   /* if it was refused when it was taken up: -errno; else 0 */
        const struct reload_changes *changes; /* of one that was accepted */
        const struct problem_list *problems;  /* errors or warnings; they have been logged, but for a dry run's */
        const char *failure;                  /* reading it could not begin: a sentence; else NULL */
};

struct reload_observer {
        void *context;
        void (*begun)(void *context); /* a configuration is about to be read to replace the running one */
        void (*ended)(void *context, const struct reload_outcome *outcome);
        void (*idle)(void *context); /* nothing is being read; what is asked for again is begun after this returns */
};

struct reload_queue {
        const struct reload *reload; /* borrowed */
        struct config_child_setup setup;
        struct reload_observer observer;
        struct config_child *child; /* a configuration being read; NULL: none */
        enum reload_kind kind;      /* … and what for */
        uint64_t loads;             /* how many were begun: the number of the last */
        bool reload_again;          /* another reload was asked for meanwhile */
        bool try_again;             /* somebody wants to know what a reload would do */
        bool is_closed;             /* the daemon stops: nothing more is read */
};

/* 0 or -ENOMEM. */
int reload_queue_new(const struct reload *reload, const struct config_child_setup *setup,
                     const struct reload_observer *observer, struct reload_queue **ret);

/* Read the first one. 0 or -errno. */
int reload_queue_first(struct reload_queue *queue);

/* Read the configuration and take it up. */
void reload_queue_reload(struct reload_queue *queue);

/* Read the configuration and tell what a reload would do; nothing changes. */
void reload_queue_try(struct reload_queue *queue);

/* Do what was asked for while a configuration was being read. */
void reload_queue_again(struct reload_queue *queue);

/* True while a configuration is being read. */
bool reload_queue_is_busy(const struct reload_queue *queue);

/* Read nothing more, and forget what is being read: the daemon stops. */
void reload_queue_close(struct reload_queue *queue);

void reload_queue_free(struct reload_queue *queue); /* NULL is fine */
