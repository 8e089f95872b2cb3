/* One connection after the other: wait, make a process in this memory, wait for its end, put the memory back.
 *
 * Called by rollback/rollback on the stack of our own, when the checkpoint has been taken. */
#pragma once

#include "preload/rollback/address_space.h"
#include "preload/rollback/host.h"
#include "preload/rollback/memory_attributes.h"
#include "preload/rollback/open_files.h"
#include "preload/rollback/restore.h"
#include "preload/rollback/thread_state.h"

#define LOOP_STACK_BYTES 65536U

/* What the worker must remember from one connection to the next. */
struct loop {
        const struct rollback_host *host;
        const struct resume *resume;
        struct thread_state thread;
        struct checkpoint checkpoint;
        struct address_space space;
        struct restore restore;
        struct open_files files;
        struct memory_attributes attributes;
        bool verify;
        bool clears_handlers; /* a new process has none: as was asked for, until it is known that clone3(2) cannot */
        char process_stack[LOOP_STACK_BYTES] __attribute__((aligned(16))); /* where a new process begins */
        long connection;                                                   /* what it begins with */
};

/* Until the worker must end. */
_Noreturn void loop_run(struct loop *loop);

/* The worker cannot go on: report why, and end. */
_Noreturn void loop_give_up(const struct loop *loop, enum rollback_obstacle obstacle, long detail);
