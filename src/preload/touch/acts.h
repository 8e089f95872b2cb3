/* The system calls that cannot go to the kernel as they are while the program is being watched: the rows of the table
 * in touch/calls name these. Each ends in call_return() or in a stub. Used by touch/ alone. */
#pragma once

#include "preload/touch/call.h"
#include "preload/touch/host.h"

#if defined(__x86_64__)
void acts_begin(const struct touch_host *host);

/* What the program has done that refuses a copy, whatever it is at the stop. */
enum touch_refusal acts_refusal(void);

/* A call has come: the exec before it has failed. */
void acts_begin_call(void);

void acts_close(const struct call *call);
void acts_close_range(const struct call *call);
void acts_own_fd(const struct call *call); /* any other call with a descriptor as its first argument */
void acts_dup2(const struct call *call);

void acts_sigaction(const struct call *call);
void acts_sigprocmask(const struct call *call);
void acts_sigreturn(const struct call *call);
void acts_sigsuspend(const struct call *call); /* calls with a mask as argument 0, 3, 4; and 5, with its size */
void acts_ppoll(const struct call *call);
void acts_epoll_pwait(const struct call *call);
void acts_pselect(const struct call *call);

void acts_vfork(const struct call *call);
void acts_clone(const struct call *call);
void acts_execve(const struct call *call);

void acts_timer_create(const struct call *call);
void acts_timer_delete(const struct call *call);

void acts_missing(const struct call *call); /* ENOSYS: the program has another way */
void acts_rings(const struct call *call);   /* allowed, and refuses a copy */
void acts_seccomp(const struct call *call);
void acts_landlock(const struct call *call);
void acts_prctl(const struct call *call);
#endif
