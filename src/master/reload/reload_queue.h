/* The queue of reload requests: each has a configuration read by a child and applied or refused, and reports the
 * outcome to an observer.
 *
 * Owned by struct daemon. One configuration is read at a time. A request that arrives meanwhile causes another read
 * afterwards, because the files may have changed since; several such requests share one read. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "logic/config/config.h"
#include "logic/policy/reload_changes.h"
#include "master/config/config_child.h"

struct reload;

enum reload_kind {
        RELOAD_FIRST,   /* the start: no configuration is running yet */
        RELOAD_REPLACE, /* a reload: replace the running configuration */
        RELOAD_DRY_RUN, /* a dry run: report what a reload would do */
};

/* The outcome of one read. */
struct reload_outcome {
        enum reload_kind kind;
        uint64_t load;               /* the number of the read; a client that asked after it had begun waits for the
                                      * next */
        bool accepted;               /* the configuration is the running one now (dry run: would be) */
        const struct config *config; /* borrowed and complete; NULL: it was refused or could not be read */
        int error;                   /* -errno if applying it failed; otherwise 0 */
        const struct reload_changes *changes; /* if it was accepted */
        const struct problem_list *problems;  /* errors or warnings; logged already, except for a dry run */
        const char *failure;                  /* a sentence if the read could not be started; otherwise NULL */
};

struct reload_observer {
        void *context;
        void (*begun)(void *context); /* a reload begins */
        void (*ended)(void *context, const struct reload_outcome *outcome);
        void (*idle)(void *context); /* no configuration is being read; pending requests are started after this
                                      * returns */
};

struct reload_queue {
        const struct reload *reload; /* borrowed */
        struct config_child_setup setup;
        struct reload_observer observer;
        struct config_child *child; /* a configuration being read; NULL: none */
        enum reload_kind kind;      /* the purpose of that read */
        uint64_t loads;             /* the number of reads begun, which is the number of the last */
        bool reload_again;          /* another reload was requested meanwhile */
        bool try_again;             /* another dry run was requested meanwhile */
        bool is_closed;             /* the daemon stops: nothing more is read */
};

/* 0 or -ENOMEM. */
int reload_queue_new(const struct reload *reload, const struct config_child_setup *setup,
                     const struct reload_observer *observer, struct reload_queue **ret);

/* Read the first configuration and apply it. 0 or -errno. */
int reload_queue_first(struct reload_queue *queue);

/* Read the configuration and apply it, now or after the read in progress. */
void reload_queue_reload(struct reload_queue *queue);

/* Read the configuration and report what a reload would do; nothing changes. */
void reload_queue_try(struct reload_queue *queue);

/* Report idle to the observer, then start the requests that are pending. */
void reload_queue_again(struct reload_queue *queue);

/* True while a configuration is being read. */
bool reload_queue_is_busy(const struct reload_queue *queue);

/* Cancel the read in progress and start no more: the daemon stops. */
void reload_queue_close(struct reload_queue *queue);

void reload_queue_free(struct reload_queue *queue); /* NULL is fine */
