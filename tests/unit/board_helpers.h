/* A scoreboard with a wake-up pipe, as tests of the slot and of the idle set need them. */
#pragma once

#include <fcntl.h>

#include "lib/idle_set.h"
#include "lib/slot.h"
#include "os/scoreboard_memory.h"
#include "unit/child_helpers.h"

struct fixture {
        struct prefork_scoreboard *board;
        int board_fd;
        int wake_fds[2];
};

static inline int board_setup(void **state)
{
        static struct fixture fixture;

        assert_int_equal(scoreboard_memory_open("test", &fixture.board, &fixture.board_fd), 0);
        scoreboard_memory_close(fixture.board); /* the master's mapping, which children do not have */
        assert_int_equal(scoreboard_memory_map(fixture.board_fd, &fixture.board), 0);
        assert_int_equal(pipe2(fixture.wake_fds, O_CLOEXEC | O_NONBLOCK), 0);
        fixture.board->slot_limit = PREFORK_SCOREBOARD_SLOTS;
        *state = &fixture;
        return 0;
}

static inline int board_teardown(void **state)
{
        struct fixture *fixture = *state;

        scoreboard_memory_close(fixture->board);
        close(fixture->board_fd);
        close(fixture->wake_fds[0]);
        close(fixture->wake_fds[1]);
        return 0;
}

/* How often the master was woken since the last time. */
static inline uint64_t take_wakes(const struct fixture *fixture)
{
        char bytes[4096];
        uint64_t count = 0;
        ssize_t length;

        while ((length = read(fixture->wake_fds[0], bytes, sizeof(bytes))) > 0)
                count += (uint64_t)length;
        return count;
}

static inline struct slot attach(const struct fixture *fixture, uint32_t index)
{
        struct slot slot;

        if (slot_attach(&slot, fixture->board, index, fixture->wake_fds[1]) != 0)
                abort();
        return slot;
}
