/* The memory behind a scoreboard: a memfd with room for every slot, sealed against shrinking, growing and further
 * seals, so that no process that has it can take the pages away under another. Made by the master, one a pool. */
#pragma once

#include "prefork/scoreboard.h"

/* Make and map one; the header's constants are filled in, everything else is zero except the thresholds, which are off.
 * Stores the mapping, and in *ret_fd the O_CLOEXEC descriptor, both owned by the caller. 0 or -errno. */
int scoreboard_memory_open(const char *pool_name, struct scoreboard **ret, int *ret_fd);

/* Map one that a former program of this process has made; `fd` stays the caller's. 0; -EPROTO: it is none, or of another
 * layout; -errno. */
int scoreboard_memory_adopt(int fd, struct scoreboard **ret);

/* Unmap; `board` may be NULL. */
void scoreboard_memory_close(struct scoreboard *board);
