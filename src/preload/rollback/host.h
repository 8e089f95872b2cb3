/* What rollback is handed in: where the program goes on, and who serves by it. Part of rollback/rollback.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/address.h"
#include "lib/rollback_obstacle.h"

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
        long (*wait)(void);
        /* In the new process, with all signals blocked: connection to 0 and 1, environment, signals, limits,
         * descriptors of ours closed. The signals are the worker's still; with `is_cleared`, those that had a handler
         * are as by default. */
        void (*enter)(int connection, bool is_cleared);
        /* In the worker, with all signals blocked: that process serves the connection. Unblocks what it wants. */
        void (*made)(pid_t pid);
        /* In the worker, with all signals blocked: no process could be made (-errno); wait for a moment. True: try
         * again. False: the connection was told; the worker must end. */
        bool (*endure)(long error);
        /* In the worker: wait for its end. */
        void (*collect)(pid_t pid, int *ret_status, struct rusage *ret_usage);
        /* In the worker: it has ended. False: the worker must end. */
        bool (*ended)(int status, const struct rusage *usage);
        /* In the worker: why it cannot go on, before it ends. */
        void (*unfit)(enum rollback_obstacle obstacle, long detail);
        /* End the worker. */
        void (*leave)(void) __attribute__((noreturn));
};
