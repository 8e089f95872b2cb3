#include "preload/rollback/thread_state.h"

#include <dlfcn.h>

#include "lib/sys.h"
#include "preload/rollback/kernel_abi.h"

#define RSEQ_UNREGISTER 1
#define RSEQ_STEP_BYTES 32U /* sizes are multiples of this */
#define RSEQ_BYTES_MOST 512U

/* The size is that of libc's own; the only way to learn it is to try. */
static uint32_t find_sequences_bytes(uintptr_t area)
{
        for (uint32_t bytes = RSEQ_STEP_BYTES; bytes <= RSEQ_BYTES_MOST; bytes += RSEQ_STEP_BYTES) {
                if (SYS_4(__NR_rseq, area, bytes, RSEQ_UNREGISTER, ABI_RSEQ_SIGNATURE) < 0)
                        continue;
                SYS_4(__NR_rseq, area, bytes, 0, ABI_RSEQ_SIGNATURE);
                return bytes;
        }
        return 0;
}

/* glibc says since 2.35 where the area is; an older one, and others, have none. */
static void read_sequences(struct thread_state *ret)
{
        const ptrdiff_t *offset = dlsym(RTLD_DEFAULT, "__rseq_offset");
        const unsigned *size = dlsym(RTLD_DEFAULT, "__rseq_size");

        if (!offset || !size || *size == 0)
                return;
        uintptr_t area = (uintptr_t)__builtin_thread_pointer() + (uintptr_t)*offset;
        ret->sequences_bytes = find_sequences_bytes(area);
        ret->sequences = ret->sequences_bytes ? area : 0;
}

int thread_state_read(struct thread_state *ret)
{
        long r;

        *ret = (struct thread_state){0};
        r = SYS_2(__NR_prctl, ABI_PR_GET_TID_ADDRESS, &ret->id);
        if (r < 0)
                return (int)r;
        if (!ret->id)
                return -ENOENT;
        SYS_3(__NR_get_robust_list, 0, &ret->robust_list, &ret->robust_bytes);
        SYS_2(__NR_sigaltstack, 0, &ret->signal_stack);
        ret->signal_stack.ss_flags &= ~SS_ONSTACK;
        read_sequences(ret);
#if defined(__x86_64__)
        __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(ret->sse_control), "=m"(ret->x87_control));
        ret->sse_control &= ~0x3fU; /* exceptions that have been */
#endif
        return 0;
}

void thread_state_detach(const struct thread_state *state)
{
        if (state->sequences)
                SYS_4(__NR_rseq, state->sequences, state->sequences_bytes, RSEQ_UNREGISTER, ABI_RSEQ_SIGNATURE);
        SYS_2(__NR_set_robust_list, 0, state->robust_bytes);
        SYS_1(__NR_set_tid_address, 0);
}

void thread_state_attach(const struct thread_state *state)
{
        if (state->robust_list)
                SYS_2(__NR_set_robust_list, state->robust_list, state->robust_bytes);
        if (state->sequences)
                SYS_4(__NR_rseq, state->sequences, state->sequences_bytes, 0, ABI_RSEQ_SIGNATURE);
        if (!(state->signal_stack.ss_flags & SS_DISABLE))
                SYS_2(__NR_sigaltstack, &state->signal_stack, 0);
#if defined(__x86_64__)
        __asm__ volatile("fninit\n\tfldcw %1\n\tldmxcsr %0" : : "m"(state->sse_control), "m"(state->x87_control));
#endif
}
