/* Signals: the master blocks them and reads them from a descriptor; children get default dispositions and an empty
 * mask.
 *
 * Owns the process's signal mask and dispositions. bin/ calls signals_take() early in main(), master/daemon reads the
 * descriptor, the reaper says which SIGCHLD it wants, and every child calls signals_reset() between fork and its own
 * work. What must stay true: other code that changes a disposition in the daemon restores it, because signals_reset()
 * does not know about it. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a child must reset: the signals that we handle, and those that we inherited as ignored. */
struct signals_taken {
        int touched[NSIG];
        size_t touched_count;
        sigset_t ignored;   /* inherited as ignored, including those that we handle now: nohup(1) ignores SIGHUP */
        sigset_t inherited; /* the mask that we were started with, for information; children get an empty one */
};

struct signals_event {
        int number;
        int code;  /* si_code: SI_USER, SI_KERNEL (the terminal hung up), CLD_EXITED … */
        pid_t pid; /* the sender, or the child; 0 from the kernel */
        uid_t uid;
        int status; /* SIGCHLD: exit status or signal */
};

/* Block `signals`, and install a handler for each that does nothing: an inherited SIG_IGN of SIGCHLD would reap our
 * children, the kernel drops signals without a handler for an init process, and /proc shows what is handled. Also finds
 * the signals that were inherited as ignored; therefore call it once, before anything else changes a disposition. 0;
 * -EINVAL: a signal cannot be handled (sigaction(2)), and nothing has changed. */
int signals_take(const int *signals, size_t count, struct signals_taken *ret);

/* Open a descriptor (close-on-exec, non-blocking) for reading `signals`, which must be blocked. 0; -EMFILE, -ENFILE,
 * -ENOMEM, -ENODEV (signalfd(2)). */
int signals_open_fd(const int *signals, size_t count, int *ret_fd);

/* Whether a child that is stopped or continued sends SIGCHLD, as it does at first. waitid(2) reports it anyway. Only
 * for a process that took SIGCHLD. */
void signals_set_child_stops(bool are_sent);

/* Read one signal. 0; -EAGAIN: none is pending (signalfd(2)). */
int signals_read(int fd, struct signals_event *ret);

/* In a child: reset every disposition that the daemon changed or inherited as ignored to the default, and then empty
 * the mask. In the other order one of our handlers would swallow a pending signal. The signals in `keep_blocked` (NULL:
 * none) keep their mask and disposition until the child has handlers of its own: a default disposition that ignores a
 * signal would discard a pending one. Async-signal-safe; cannot fail. */
void signals_reset(const struct signals_taken *taken, const sigset_t *keep_blocked);

/* The same for all signals, for a process that did not call signals_take(). Takes about ten microseconds longer. */
void signals_reset_all(const sigset_t *keep_blocked);
