/* Writes the scoreboards of a pool, and what is believed of their slots, to the hand-over document and reads them. Part
 * of pool_state. */
#pragma once

#include "logic/status/tally.h"
#include "master/pool/boards.h"
#include "master/state/state_file.h"

json_t *tally_state_write(const struct tally *tally);

/* A missing member leaves what is there. 0, -EPROTO with an error, or -ENOMEM. */
int tally_state_read(struct state_file *file, const json_t *object, struct tally *tally);

/* The boards, the present one first, without its descriptor. */
json_t *board_state_write(const struct boards *boards, struct state_file *file);

/* Read them; `boards` has the present one. The descriptors of older ones are owned by `boards` from here on. 0, -EPROTO
 * with an error, -ENOMEM or -errno. */
int board_state_read(struct state_file *file, const json_t *array, struct boards *boards);

/* The number of a board in that array, and the board of a number; NULL: there is none. */
unsigned board_state_number(const struct boards *boards, const struct board *board);
struct board *board_state_find(const struct boards *boards, const json_t *number);

/* Write the counters that are not zero, under the names of the table of counters; read them. */
json_t *counters_state_write(const struct counters *counters);
int counters_state_read(struct state_file *file, const json_t *object, struct counters *counters);
