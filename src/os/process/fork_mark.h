/* A mark that is gone in every child of this process, however the child was made: how code that must not run in a copy
 * of its process knows that it does. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

struct fork_mark {
        const volatile unsigned char *page; /* the kernel empties it in a child; NULL: it cannot */
        pid_t pid;
};

/* Mark this process. Cannot fail: without the kernel's help, looking costs a system call. */
struct fork_mark fork_mark_make(void);

/* True in the process that was marked. */
static inline bool fork_mark_is_here(const struct fork_mark *mark)
{
        return mark->page ? *mark->page != 0 : getpid() == mark->pid;
}
