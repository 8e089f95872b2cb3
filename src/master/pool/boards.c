#include "master/pool/boards.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/scoreboard_memory.h"

static void board_free(struct board *board)
{
        fd_closep(&board->fd);
        scoreboard_memory_close(board->memory);
        free(board);
}

struct board *boards_present(const struct boards *boards)
{
        return boards->items[0];
}

/* Insert a board at `place`, made at `since_ms`, with no memory yet. NULL: out of memory. */
static struct board *insert(struct boards *boards, unsigned place, uint64_t since_ms)
{
        struct board *board = calloc(1, sizeof(*board));

        if (!board)
                return NULL;
        *board = (struct board){.fd = -1, .tally = {.since_ms = since_ms, .looked_ms = since_ms}};
        memmove(&boards->items[place + 1], &boards->items[place], (boards->count - place) * sizeof(struct board *));
        boards->items[place] = board;
        boards->count++;
        return board;
}

/* Remove the board if it has no memory. */
static int finish(struct boards *boards, struct board *board, int r)
{
        if (r < 0)
                boards_drop(boards, board);
        return r;
}

int boards_open(struct boards *boards, const char *pool_name)
{
        if (boards->count == BOARDS_MAX)
                return -EBUSY;
        struct board *board = insert(boards, 0, clock_now_ms());
        if (!board)
                return -ENOMEM;
        return finish(boards, board, scoreboard_memory_open(pool_name, &board->memory, &board->fd));
}

int boards_adopt(struct boards *boards, int fd)
{
        _cleanup_(fd_closep) int owned = fd;
        /* It may be as old as the machine; whoever knows more sets the times. */
        struct board *board = boards->count < BOARDS_MAX ? insert(boards, boards->count, 0) : NULL;

        if (!board)
                return boards->count < BOARDS_MAX ? -ENOMEM : -EBUSY;
        board->fd = TAKE_FD(owned);
        return finish(boards, board, scoreboard_memory_adopt(board->fd, &board->memory));
}

void board_use(struct board *board)
{
        board->workers++;
}

void board_leave(struct board *board)
{
        assert(board->workers > 0);
        board->workers--;
}

void board_note_slot(struct board *board, uint32_t slot)
{
        board->slot_limit = MAX_OF(board->slot_limit, slot + 1);
}

struct board *boards_find_unused(const struct boards *boards)
{
        for (unsigned i = 1; i < boards->count; i++)
                if (boards->items[i]->workers == 0)
                        return boards->items[i];
        return NULL;
}

void boards_drop(struct boards *boards, struct board *board)
{
        unsigned place = 0;

        assert(board->workers == 0);
        while (boards->items[place] != board)
                place++;
        boards->count--;
        memmove(&boards->items[place], &boards->items[place + 1], (boards->count - place) * sizeof(struct board *));
        boards->items[boards->count] = NULL;
        board_free(board);
}

void boards_close(struct boards *boards)
{
        while (boards->count > 0)
                boards_drop(boards, boards->items[boards->count - 1]);
}
