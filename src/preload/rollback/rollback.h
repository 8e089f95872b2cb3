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
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/address.h"
#include "preload/rollback/obstacle.h"
#include "preload/rollback/thread_state.h"

/* Where the program goes on. `enter` is called in the new process, on a small stack of ours, after host.enter(): it
 * sets the program's signal mask, changes to the program's own stack and does not return. A program that unwinds its
 * stack (pthread_exit) must find there that nothing has called it. */
struct resume {
        uintptr_t stack; /* the lowest address of the program's stack in use, its red zone included */
        void (*enter)(const struct resume *resume) __attribute__((noreturn));
};

/* Who waits for connections and keeps account of them. The functions run on stacks of ours and call the kernel alone.
 * Their static memory is the preload object's, which is not put back and which both processes share: enter() must
 * leave there nothing that the worker must not find. The worker has no children but those made here. */
struct rollback_host {
        /* The next admitted connection; negative: the worker must end. */
        long (*wait)(struct address *ret_peer);
        /* In the new process, with all signals blocked: connection to 0 and 1, environment, signals, limits,
         * descriptors of ours closed. The signals are the worker's still. */
        void (*enter)(int connection, const struct address *peer);
        /* In the worker, with all signals blocked: that process serves the connection. Unblocks what it wants. */
        void (*made)(pid_t pid);
        /* In the worker: wait for its end. */
        void (*collect)(pid_t pid, int *ret_status, struct rusage *ret_usage);
        /* In the worker: it has ended. False: the worker must end. */
        bool (*ended)(int status, const struct rusage *usage);
        /* In the worker: why it cannot go on, before it ends. */
        void (*unfit)(enum rollback_obstacle obstacle, long detail);
        /* End the worker. */
        void (*leave)(void) __attribute__((noreturn));
};

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
        int first_fd;        /* descriptors of ours get this number or a higher one */
        int image_fd;        /* what rollback_image() has made; -1: none, every worker keeps a copy of its own */
        size_t copying_most; /* bytes of writable memory that are put back by copying; 0: no limit */
        bool strict;         /* all mappings and their flags are looked at after every connection */
        bool verify;         /* all memory is compared with the checkpoint after every connection: for tests */
};

/* Can this process be rolled back, as it is now? ROLLBACK_NO_OBSTACLE, or why not; *ret_detail: a number that belongs
 * to the reason, such as an error. Changes nothing. */
enum rollback_obstacle rollback_check(const struct rollback_options *options, long *ret_detail);

/* In the template, before it forks workers: write its writable memory into a sealed file that its workers share.
 * Returns the descriptor (close-on-exec, at least `first_fd`), or -errno. */
int rollback_image(const struct resume *resume, int first_fd);

/* Serve connections until the worker must end. The stack below resume->stack is lost. */
_Noreturn void rollback_run(const struct rollback_options *options, const struct resume *resume);
