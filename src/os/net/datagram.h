/* One datagram: received, with the address that it was sent to, and answered from there.
 *
 * Used by worker/, which receives, and through the request by the handler in it. What must stay true: an answer comes
 * from the address that the client has sent to, because clients drop others. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/address.h"

#define DATAGRAM_MAX 65536

struct datagram {
        int answer_fd; /* from where it is answered; not owned */
        struct address sender;
        struct address local; /* length 0: not known */
        size_t length;
        char bytes[DATAGRAM_MAX];
};

/* Is this a socket for datagrams? Then have the kernel say where each was sent to. */
bool datagram_prepare(int listener);

/* True if it is one. */
bool datagram_is_at(int listener);

/* Receive one; blocks as the socket does. `answer_fd` is the same socket, by a number that stays while the datagram is
 * served: that of the listener may be the door's at any moment. 0; -EINVAL: the socket was shut and is empty; -errno of
 * recvmsg(2). Whatever is longer than DATAGRAM_MAX is cut. */
int datagram_receive(int listener, int answer_fd, struct datagram *ret);

/* Send an answer; blocks as the socket does, also because a UNIX client does not read. 0; -EDESTADDRREQ: the sender has
 * no address; -EINTR: nothing was sent; other -errno of sendmsg(2). */
int datagram_answer(const struct datagram *datagram, const void *bytes, size_t length);
