/* libprefork: for programs that accept connections themselves as workers of preforkd (handler_type = listener with
 * accounting = api). See libprefork(3).
 *
 *     struct prefork_worker *worker;
 *     if (prefork_attach(&worker) == 0)
 *             for (int fd; (fd = prefork_accept(worker, NULL, NULL)) >= 0 || fd == -EINTR;)
 *                     if (fd >= 0) {
 *                             serve(fd);
 *                             close(fd);
 *                             prefork_done(worker);
 *                     }
 *     exit(0);
 *
 * A process attaches once and serves one connection at a time. The library is not thread-safe: one thread of the
 * process calls it. Errors are negative errno values; errno itself has no meaning. */
#pragma once

#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PREFORK_API __attribute__((visibility("default")))

struct prefork_worker;

/* Attach to the slot that preforkd has given this process in its environment, from which the variables are removed. The
 * descriptors become close-on-exec. The retire signal, SIGWINCH, gets a handler and stays blocked except inside
 * prefork_accept(). The worker is ready, and gets connections, with its first prefork_accept().
 *
 * 0 with *ret set. -ENOENT: this process is no worker of preforkd; it may be a child of one. -EPROTO: preforkd has
 * another version of the scoreboard. -EINVAL: the variables contradict each other or the descriptors. -ESRCH: preforkd
 * has died. -EALREADY: the process is attached. -ENOMEM; others of mmap(2), epoll_create1(2), signalfd(2). */
PREFORK_API int prefork_attach(struct prefork_worker **ret);

/* Wait for a connection and begin a request. If one is open still, it ends first. The client's address is stored as by
 * accept(2) unless `peer` is NULL. A shortage of descriptors or memory is waited out.
 *
 * Returns the connection, which is close-on-exec and the caller's. -ESHUTDOWN: retired, recycled, or the listeners
 * closed: end the process; no connection is lost. -EINTR: a handler of another signal ran, or a client left before it
 * was accepted: call again. Others: of accept4(2), if the listener cannot be used. */
PREFORK_API int prefork_accept(struct prefork_worker *worker, struct sockaddr *peer, socklen_t *length);

/* The request has ended: it is counted, and its deadline is over. Close the connection first, or the client may see its
 * end late. The worker gets the next connection with its next prefork_accept(). Nothing if no request is open. */
PREFORK_API void prefork_done(struct prefork_worker *worker);

/* 1 if preforkd wants this worker to end after its request: for requests that could go on for long. Otherwise 0. */
PREFORK_API int prefork_retiring(const struct prefork_worker *worker);

/* Report that this worker serves no more, and free it. An open request ends. */
PREFORK_API void prefork_detach(struct prefork_worker *worker);

#ifdef __cplusplus
}
#endif
