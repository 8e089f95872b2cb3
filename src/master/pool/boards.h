/* The scoreboards of a pool. There is one, in which new workers report. `restart` makes a fresh one, because workers
 * can write anything into theirs; the former is kept until the last worker that reports in it has gone.
 *
 * A slot number that is taken on one board of a pool is used on no other of its boards. Written by this file alone,
 * except the words of a board and its tally. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "logic/status/tally.h"
#include "prefork/scoreboard.h"

/* The present board, and those of workers that do not go. Each has a descriptor. */
#define BOARDS_MAX 8

struct board {
        struct prefork_scoreboard *memory;
        int fd;
        uint32_t slot_limit; /* slots at or above it were never used */
        unsigned workers;    /* those that report in it */
        struct tally tally;  /* of what processes without a slot count; written by tallies */
        bool lie_told;       /* a lie in it was logged; written by tallies */
        /* Of the records of connections behind it; written by connection_reader. */
        uint32_t connections_at;      /* where the master is */
        uint64_t connections_held_ms; /* since when the ring is held by one record; 0: it is not */
};

/* Zero-initialise; end with boards_close(). */
struct boards {
        struct board *items[BOARDS_MAX]; /* the newest first, which is the present one */
        unsigned count;
};

/* The board in which new workers report. */
struct board *boards_present(const struct boards *boards);

/* Make a board, which is the present one from here on; free the former with boards_drop() if no worker uses it. 0;
 * -EBUSY: there are BOARDS_MAX; -ENOMEM, -errno. On failure nothing has changed. */
int boards_open(struct boards *boards, const char *pool_name);

/* Take over a board of the program before an upgrade, as the oldest so far. `fd` is owned from here on, also on
 * failure. 0; -EPROTO: it is none; -EBUSY, -ENOMEM, -errno as above. */
int boards_adopt(struct boards *boards, int fd);

/* A worker reports in this board from here on, or has gone. */
void board_use(struct board *board);
void board_leave(struct board *board);

/* This slot is going to be used: raise slot_limit. */
void board_note_slot(struct board *board, uint32_t slot);

/* An older board that no worker uses, or NULL. */
struct board *boards_find_unused(const struct boards *boards);

/* Free a board that no worker uses. */
void boards_drop(struct boards *boards, struct board *board);

void boards_close(struct boards *boards);
