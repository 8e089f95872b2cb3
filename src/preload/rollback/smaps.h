/* The flags of mappings that /proc/self/maps does not show: the lines VmFlags and LazyFree of /proc/self/smaps.
 * Called by rollback/address_space if it is strict; reading them costs more than a connection. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "preload/rollback/mappings.h"

/* A hash of all flags in their order, and (if not NULL) whether any page may vanish because of MADV_FREE. `buffer`
 * lends its text. 0 or -errno. */
int smaps_read(int smaps_fd, struct mappings *buffer, uint64_t *ret_hash, bool *ret_has_lazy);
