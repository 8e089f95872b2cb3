/* Signals: blocked and read as data in the master, given back untouched to children.
 *
 * Owns the process's signal mask and dispositions. main() calls signals_take() as its first act; the event loop reads
 * the descriptor; every child calls signals_reset() between fork and its own work. What must stay true: whatever else
 * changes a disposition in the daemon changes it back, else signals_reset() does not know of it. */
#pragma once

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

/* What a child has to put back: the signals that we handle, and those that we inherited as ignored. */
struct signals_taken {
        int touched[NSIG];
        size_t touched_count;
        sigset_t ignored;   /* inherited as ignored, among them those taken since: nohup ignores SIGHUP */
        sigset_t inherited; /* the mask we were started with; children get an empty one, this is for the curious */
};

struct signals_event {
        int number;
        int code;  /* si_code: SI_USER, SI_KERNEL (the terminal hung up), CLD_EXITED … */
        pid_t pid; /* the sender, or the child; 0 from the kernel */
        uid_t uid;
        int status; /* SIGCHLD: exit status or signal */
};

/* Block `signals` and install a handler that does nothing for each, so that the process is seen to handle them (/proc,
 * init, an inherited "ignore" that would have SIGCHLD reap for us). Also finds what was inherited as ignored, which is
 * why it is called once and first. 0; -EINVAL: a signal that cannot be handled (sigaction(2)); nothing is changed then.
 */
int signals_take(const int *signals, size_t count, struct signals_taken *ret);

/* A descriptor (CLOEXEC, non-blocking) from which `signals`, which must be blocked, are read. 0; -EMFILE, -ENFILE,
 * -ENOMEM, -ENODEV (signalfd(2)). */
int signals_open_fd(const int *signals, size_t count, int *ret_fd);

/* Read one signal. 0; -EAGAIN: none is pending (signalfd(2)). */
int signals_read(int fd, struct signals_event *ret);

/* In a child: every disposition that the daemon changed or inherited as ignored becomes the default, then the mask is
 * emptied, in this order, because a signal unblocked while our handlers still stand would vanish in one. Those in
 * `keep_blocked` (NULL: none) stay as they are, mask and disposition, until the child has handlers of its own for them: a
 * default action of being ignored would discard what is pending. Async-signal-safe, cannot fail. */
void signals_reset(const struct signals_taken *taken, const sigset_t *keep_blocked);

/* The same without knowledge: every signal there is. For a process that did not call signals_take() itself; costs some
 * ten microseconds more. */
void signals_reset_all(const sigset_t *keep_blocked);
