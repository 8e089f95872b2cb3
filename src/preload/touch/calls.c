#include "preload/touch/calls.h"

#include <asm/unistd.h>

#include "base/cleanup.h"
#include "preload/touch/acts.h"
#include "preload/touch/looks.h"

#if defined(__x86_64__)
/* In linux/, but not in the headers of every libc. */
#ifndef __NR_epoll_pwait2
#define __NR_epoll_pwait2 441
#endif
#ifndef __NR_landlock_restrict_self
#define __NR_landlock_restrict_self 446
#endif

/* What a call does with a descriptor of ours is nothing: for the program it is not open. Those that only read or write
 * it are not looked at for that: a program has no reason to try. */
static const struct calls_row rows[] = {
        /* Data. */
        [__NR_read] = {looks_first, NULL},
        [__NR_readv] = {looks_first, NULL},
        [__NR_pread64] = {looks_first, NULL},
        [__NR_preadv] = {looks_first, NULL},
        [__NR_preadv2] = {looks_first, NULL},
        [__NR_write] = {looks_first, NULL},
        [__NR_writev] = {looks_first, NULL},
        [__NR_pwrite64] = {looks_first, NULL},
        [__NR_pwritev] = {looks_first, NULL},
        [__NR_pwritev2] = {looks_first, NULL},
        [__NR_recvfrom] = {looks_first, NULL},
        [__NR_recvmsg] = {looks_first, NULL},
        [__NR_recvmmsg] = {looks_first, NULL},
        [__NR_sendto] = {looks_first, NULL},
        [__NR_sendmsg] = {looks_message, NULL},
        [__NR_sendmmsg] = {looks_messages, NULL},
        [__NR_sendfile] = {looks_first_two, NULL},
        [__NR_splice] = {looks_first_third, NULL},
        [__NR_tee] = {looks_first_two, NULL},
        [__NR_vmsplice] = {looks_first, NULL},
        [__NR_copy_file_range] = {looks_first_third, NULL},

        /* The socket. */
        [__NR_getpeername] = {looks_first, NULL},
        [__NR_getsockname] = {looks_first, NULL},
        [__NR_getsockopt] = {looks_first, NULL},
        [__NR_setsockopt] = {looks_first, NULL},
        [__NR_shutdown] = {looks_first, NULL},
        [__NR_connect] = {looks_first, NULL},
        [__NR_bind] = {looks_first, NULL},
        [__NR_listen] = {looks_first, NULL},
        [__NR_accept] = {looks_first, NULL},
        [__NR_accept4] = {looks_first, NULL},

        /* The descriptor. */
        [__NR_close] = {looks_first, acts_close},
        [__NR_close_range] = {looks_close_range, acts_close_range},
        [__NR_dup] = {looks_first, acts_own_fd},
        [__NR_dup2] = {looks_first_two, acts_dup2},
        [__NR_dup3] = {looks_first_two, acts_dup2},
        [__NR_fcntl] = {looks_fcntl, acts_own_fd},
        [__NR_ioctl] = {looks_ioctl, NULL},
        [__NR_fsync] = {looks_first, NULL},
        [__NR_fdatasync] = {looks_first, NULL},
        [__NR_flock] = {looks_first, NULL},
        [__NR_fchmod] = {looks_first, NULL},
        [__NR_fchown] = {looks_first, NULL},
        [__NR_fsetxattr] = {looks_first, NULL},

        /* Waiting for it. */
        [__NR_poll] = {looks_poll, NULL},
        [__NR_ppoll] = {looks_poll, acts_ppoll},
        [__NR_select] = {looks_select, NULL},
        [__NR_pselect6] = {looks_select, acts_pselect},
        [__NR_epoll_ctl] = {looks_third, NULL},
        [__NR_epoll_pwait] = {NULL, acts_epoll_pwait},
        [__NR_epoll_pwait2] = {NULL, acts_epoll_pwait},

        /* Other programs and processes. */
        [__NR_execve] = {looks_execve, acts_execve},
        [__NR_execveat] = {looks_always, NULL},
        [__NR_vfork] = {NULL, acts_vfork},
        [__NR_clone] = {NULL, acts_clone},
        [__NR_clone3] = {NULL, acts_missing}, /* libc takes clone(2) instead, whose stack is known here */

        /* Signals and timers. */
        [__NR_rt_sigaction] = {NULL, acts_sigaction},
        [__NR_rt_sigprocmask] = {NULL, acts_sigprocmask},
        [__NR_rt_sigreturn] = {NULL, acts_sigreturn},
        [__NR_rt_sigsuspend] = {NULL, acts_sigsuspend},
        [__NR_timer_create] = {NULL, acts_timer_create},
        [__NR_timer_delete] = {NULL, acts_timer_delete},

        /* What would not be seen, or not be had by a copy. */
        [__NR_io_uring_setup] = {NULL, acts_missing},
        [__NR_io_setup] = {NULL, acts_rings},
        [__NR_prctl] = {NULL, acts_prctl},
        [__NR_seccomp] = {NULL, acts_seccomp},
        [__NR_landlock_restrict_self] = {NULL, acts_landlock},
};

struct calls_row calls_row(long number)
{
        return number >= 0 && (unsigned long)number < ELEMENTS(rows) ? rows[number] : (struct calls_row){0};
}
#endif
