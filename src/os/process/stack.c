#include "os/process/stack.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the kernel keeps free below a stack: no other mapping is in reach. */
#define REACH_BYTES 0x100000
/* The frames of this file, and what a leaf function may use below its frame, are wiped by hand. */
#define NEAR_BYTES 8192

/* The pages that are just below. */
static void __attribute__((noinline)) forget_near(void)
{
        char near[NEAR_BYTES];

        explicit_bzero(near, sizeof(near));
}

void stack_forget(void)
{
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        uintptr_t end = ((uintptr_t)__builtin_frame_address(0) & ~(page - 1)) - page;

        forget_near();
        /* Pages that are dropped are zero when they are used again. Addresses that the stack has never had are skipped.
         */
        madvise((void *)(end - REACH_BYTES), REACH_BYTES, MADV_DONTNEED); /* NOLINT(performance-no-int-to-ptr) */
}
