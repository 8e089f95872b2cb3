/* The accounting of a program that accepts connections itself and does not know preforkd: the preload object watches
 * its system calls and reports in the worker's slot when a request begins and ends.
 *
 * Called by preload/interpose, in place of libc. A request is a connection: it begins when accept returns one, and ends
 * when the program closes it, or comes back to wait for the next. Who is not to be served the program never sees: its
 * call of accept goes on to the next connection. What must stay true: nothing here calls libc or touches errno; the
 * retire signal is unblocked only inside a wait for connections, so it never cuts another call short; a child of the
 * program is nobody's worker. Results are those of the kernel: -errno. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/attach.h"
#include "lib/gate.h"
#include "lib/request.h"

/* Attach to the slot that the environment names, and remove from it what is ours. Off until then, and if there is no
 * slot for this process. */
void accounting_begin(char **environment);

/* What is done in a template. */
struct accounting_template {
        /* At the program's first wait for a connection. Returns in each worker that is made of it, and has filled desk
         * and gate and described the worker's descriptors in the attachment by then. The result is after how many
         * requests inherit() is to be called; 0: never. */
        uint64_t (*stop)(struct attachment *attachment, struct request_desk *desk, struct gate *gate);
        /* In a worker that has served so many, between two requests: it becomes a template. Returns as stop() does, in
         * workers; or at once with false, if that cannot be: then it serves on. */
        bool (*inherit)(struct attachment *attachment, struct request_desk *desk, struct gate *gate,
                        uint64_t *ret_heir_after);
        /* In a child of the program that waits for connections; it ends afterwards. */
        void (*child_waits)(void);
};

/* In a template. False: it has too many listeners. `ops` must stay. */
bool accounting_begin_template(const struct attachment *attachment, const struct accounting_template *ops);

/* True in the program's own process; false in its children, and if there is no slot. */
bool accounting_is_on(void);

long accounting_accept(int fd, struct sockaddr *peer, socklen_t *length, int flags);

/* The calls that wait for several descriptors. With a listener among them and no connection open, the worker is idle.
 */
long accounting_poll(struct pollfd *fds, nfds_t count, struct timespec *timeout, const sigset_t *mask);
long accounting_select(int count, fd_set *reads, fd_set *writes, fd_set *errors, struct timespec *timeout,
                       const sigset_t *mask);
long accounting_epoll(int epoll_fd, struct epoll_event *events, int most, int timeout_ms, const sigset_t *mask);
long accounting_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);

/* The calls that close descriptors. Ours stay open. */
long accounting_close(int fd);
long accounting_close_range(unsigned first, unsigned last, int flags);
long accounting_dup3(int from, int to, int flags);
long accounting_dup2(int from, int to);

/* The process ends: so does its request. */
void accounting_end(void);

/* Execute another program in this process, which goes on as the worker; or in a child, which gets nothing of ours.
 * Returns -errno. `file` with `search_path` is executed as execvpe(3) would. */
long accounting_execute(const char *path, char *const *arguments, char *const *environment,
                        int (*execute)(const char *, char *const *, char *const *));
