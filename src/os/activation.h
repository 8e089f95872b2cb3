/* Descriptors that the service manager passes at the start: sockets it made for us (socket activation) and those it
 * kept for us (its descriptor store), read by sd_listen_fds_with_names(3).
 *
 * Owned by the master, which reads them once, before it makes any process: the variables are removed and the
 * descriptors made close-on-exec, so that no child takes its connection for a listening socket. */
#pragma once

#include <stddef.h>

#include "base/address.h"

/* What was passed under a name. Names need not be unique. */
struct activation_socket {
        int fd; /* -1: somebody has taken it over */
        char *name;
        struct address address; /* where it listens, by getsockname(2) */
        int error; /* 0: it is a listening stream socket or one for datagrams; else an errno that says why it is not one
                    */
};

struct activation {
        struct activation_socket *sockets;
        size_t count;
};

/* Receive what LISTEN_FDS announces, if LISTEN_PID is ours, and remove LISTEN_* from the environment in any case. 0
 * (with a count of 0: nothing was passed); -EINVAL: the variables contradict each other or the descriptors, and what
 * was passed is closed; -ENOMEM. *ret is the caller's to clear, and empty on failure. */
int activation_receive(struct activation *ret);

/* Is `fd` a listening stream socket, or one for datagrams, and where? 0; -EBADF; -ENOTSOCK; -ESOCKTNOSUPPORT: of
 * another type; -EINVAL: it does not listen, or not any more, but *ret is set; -EAFNOSUPPORT: neither TCP nor UNIX. */
int activation_examine(int fd, struct address *ret);

/* Close what nobody has taken over, and free. */
void activation_clear(struct activation *activation);
