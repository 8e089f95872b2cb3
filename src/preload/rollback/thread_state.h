/* What the kernel keeps about the one thread of a program, and what a process made by clone(2) does not inherit: the
 * address of its id, its robust list, its restartable sequences, its signal stack, and the control words of floating
 * point.
 *
 * Read in the process that has started the program, and given to every copy of it. */
#pragma once

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

struct thread_state {
        int *id; /* libc's copy of the thread id, which the kernel writes and clears */
        void *robust_list;
        size_t robust_bytes;
        uintptr_t sequences; /* rseq(2); 0: none */
        uint32_t sequences_bytes;
        stack_t signal_stack;
        uint32_t sse_control;
        uint16_t x87_control;
};

/* 0, or -errno: the kernel does not tell where the id is. Looks up what libc says of rseq by dlsym(3), so it is called
 * before the program runs. The control words are those of the caller. */
int thread_state_read(struct thread_state *ret);

/* In the worker: the kernel writes into none of the program's memory on behalf of this thread any more. */
void thread_state_detach(const struct thread_state *state);

/* In a new process, whose id the kernel has stored: everything else. */
void thread_state_attach(const struct thread_state *state);
