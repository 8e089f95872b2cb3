/* The memory of a scoreboard: a memfd with room for every slot, and for the rates behind them (base/rate_table). It is
 * sealed against shrinking, growing and further seals, so that no process that has it can remove pages that another
 * uses. master/pool makes one for each pool.
 *
 * The master's mapping is not inherited by its children: a worker maps the scoreboard of its own pool, and no other. */
#pragma once

#include "base/pool_memory.h"

/* Make and map one. The constants of the header are filled in, the thresholds are off, the key of the rates is random,
 * and everything else is zero. The caller owns the mapping in *ret and the O_CLOEXEC descriptor in *ret_fd. 0 or
 * -errno. */
int scoreboard_memory_open(const char *pool_name, struct prefork_scoreboard **ret, int *ret_fd);

/* Map one that the program before an upgrade made, and restore its header; the caller keeps `fd`, and knows the layout
 * from elsewhere, because workers can write anything into the header. 0; -EPROTO: it has another size; -errno. */
int scoreboard_memory_adopt(int fd, struct prefork_scoreboard **ret);

/* Write the constants of the header again. */
void scoreboard_memory_restore(struct prefork_scoreboard *board);

/* In a worker: map the scoreboard. 0 or -errno of mmap(2). */
int scoreboard_memory_map(int fd, struct prefork_scoreboard **ret);

/* Unmap; `board` may be NULL. */
void scoreboard_memory_close(struct prefork_scoreboard *board);
