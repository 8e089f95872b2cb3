/* Descriptors that a client sends beside its words over a UNIX socket (SCM_RIGHTS), to somebody who refuses it.
 *
 * Nobody need receive a descriptor to be harmed by it: the kernel closes what nobody has received in the process that
 * reads the words or closes the connection, and the last close of a TCP connection with SO_LINGER waits for as long as
 * its owner likes; only for a process that ends it does not. A worker that refuses somebody is idle, so no deadline
 * would end its wait. Called by lib/refusal and lib/lingering; os/process/unwanted_fds is the same for the master. What
 * must stay true: whoever refuses reads nothing that has descriptors beside it. Async-signal-safe. */
#pragma once

#include <stddef.h>

/* Read what is there, up to `size` bytes. Returns how many, 0 at the end, -EAGAIN: nothing is there; -EPROTO: there are
 * descriptors beside it, and nothing is read. The kernel joins what was sent with descriptors to what was sent without:
 * so no more is read than was looked at. */
long unwanted_rights_receive(int connection, void *data, size_t size);

/* Close a connection from which nothing is wanted any more. What has not been read goes, too; if that has descriptors
 * beside it, a process that ends closes it. In a shortage of processes the connection stays open. */
void unwanted_rights_close(int connection);
