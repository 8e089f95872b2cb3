/* Copy by rollback: every connection gets a new process that shares the worker's memory; when it has ended, the worker
 * puts its memory back.
 *
 * Called by the preload object in a worker, at the point where the handler was stopped. So pid, descriptors, signals,
 * timers, directory, limits, credentials and children are the kernel's, new for each connection and gone with it; only
 * memory is left to be undone. README.md in this directory explains how, and what is not undone. What must stay true:
 * from rollback_run() on nothing here calls libc, and nothing that it must remember lies in memory that is put back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "preload/rollback/host.h"
#include "lib/rollback_obstacle.h"
#include "preload/rollback/thread_state.h"

enum rollback_way {
        ROLLBACK_FASTEST,  /* track if that can be had, else copy */
        ROLLBACK_TRACKING, /* asynchronous write protection, Linux >= 6.7 */
        ROLLBACK_COPYING,  /* all writable memory is compared with its copy */
};

/* All pointers are to memory of the preload object: it is read after the program has run. */
struct rollback_options {
        const struct rollback_host *host;
        const struct thread_state *thread; /* as thread_state_read() found it before the worker was forked */
        enum rollback_way way;
        int first_fd;         /* descriptors of ours get this number or a higher one */
        int image_fd;         /* what rollback_image() has made; -1: none, every worker keeps a copy of its own */
        size_t copying_most;  /* bytes of writable memory that are put back by copying; 0: no limit */
        bool clears_handlers; /* host->enter() sets all signals that have a handler: a new process need not inherit them
                               */
        bool strict;          /* all mappings and their flags are looked at after every connection */
        bool verify;          /* all memory is compared with the checkpoint after every connection: for tests */
};

/* What rollback_check() has found out. */
struct rollback_finding {
        long detail;           /* a number that belongs to the obstacle, such as an error */
        enum rollback_way way; /* how memory will be put back: ROLLBACK_TRACKING or ROLLBACK_COPYING */
        size_t bytes;          /* of writable memory */
};

/* Can this process be rolled back, as it is now? ROLLBACK_NO_OBSTACLE, or why not. Changes nothing. */
enum rollback_obstacle rollback_check(const struct rollback_options *options, struct rollback_finding *ret);

/* In the template, before it forks workers: write its writable memory into a sealed file that its workers share.
 * Returns the descriptor (close-on-exec, at least `first_fd`), or -errno. */
int rollback_image(const struct resume *resume, int first_fd);

/* Serve connections until the worker must end. The stack below resume->stack is lost. */
_Noreturn void rollback_run(const struct rollback_options *options, const struct resume *resume);
