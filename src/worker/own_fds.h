/* The descriptors of a worker itself: what a handler in the worker's process must not close.
 *
 * Called by worker_main and the accept loop. A new descriptor gets the lowest free number: if a connection has the
 * number of one of ours, ours was closed. So a look at a number that is known anyway finds it, without a system call;
 * for this, ours must have the lowest numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Numbers from here on are not watched; a worker has them only with hundreds of listeners. */
#define OWN_FDS_MAX 1024

/* Zero-initialise. */
struct own_fds {
        uint64_t bits[OWN_FDS_MAX / 64];
};

/* Give the descriptor the lowest free number, if that is lower than its own. -1: none. 0; or -errno, and it is as it
 * was. */
int own_fds_settle(int *fd);

/* Note a descriptor; -1: none. */
void own_fds_add(struct own_fds *own, int fd);

/* Note all descriptors that `other` has. */
void own_fds_join(struct own_fds *own, const struct own_fds *other);

static inline bool own_fds_has(const struct own_fds *own, int fd)
{
        return fd >= 0 && fd < OWN_FDS_MAX && (own->bits[fd / 64] >> (fd % 64) & 1) != 0;
}

/* Move a descriptor that is not ours away from the number of one of ours; returns its new number, or `fd` itself if
 * that cannot be. */
int own_fds_step_aside(const struct own_fds *own, int fd);
