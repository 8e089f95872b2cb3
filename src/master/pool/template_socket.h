/* The socket between the master and a template, or an heir: what lib/template_words describes. Called by template.
 *
 * What must stay true: the kernel says who sends; descriptors that are sent are neither received nor dropped by us. */
#pragma once

#include <stddef.h>

#include "lib/template_words.h"

struct ucred;

/* Both ends, which are the caller's. 0 or -errno. */
int template_socket_open(int *ret_fd, int *ret_other);

/* 0, or -errno: -EAGAIN: nothing is there; -EPIPE: nobody will say anything any more; -EPROTO: a lie,
 * which may still be there: nothing more can be received. */
int template_socket_receive(int fd, struct template_word *ret, struct ucred *ret_sender);

/* Close our end, and forget it. */
void template_socket_close(int *fd);

/* Send an order with descriptors, which stay the caller's. 0; -EAGAIN, -ETOOMANYREFS and others: not now. */
int template_socket_send(int fd, const struct template_order *order, const int *fds, size_t count);
