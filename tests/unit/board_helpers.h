/* A scoreboard with a wake-up descriptor, as tests of the slot and of the idle set need them. */
#pragma once

#include <sys/eventfd.h>

#include "lib/idle_set.h"
#include "lib/slot.h"
#include "os/scoreboard_memory.h"
#include "unit/child_helpers.h"

struct fixture {
        struct prefork_scoreboard *board;
        int board_fd;
        int wake_fd;
};

static inline int board_setup(void **state)
{
        static struct fixture fixture;

        assert_int_equal(scoreboard_memory_open("test", &fixture.board, &fixture.board_fd), 0);
        scoreboard_memory_close(fixture.board); /* the master's mapping, which children do not have */
        assert_int_equal(scoreboard_memory_map(fixture.board_fd, &fixture.board), 0);
        fixture.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(fixture.wake_fd >= 0);
        fixture.board->slot_limit = PREFORK_SCOREBOARD_SLOTS;
        *state = &fixture;
        return 0;
}

static inline int board_teardown(void **state)
{
        struct fixture *fixture = *state;

        scoreboard_memory_close(fixture->board);
        close(fixture->board_fd);
        close(fixture->wake_fd);
        return 0;
}

/* How often the master was woken since the last time. */
static inline uint64_t take_wakes(const struct fixture *fixture)
{
        uint64_t count = 0;

        return read(fixture->wake_fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static inline struct slot attach(const struct fixture *fixture, uint32_t index)
{
        struct slot slot;

        if (slot_attach(&slot, fixture->board, index, fixture->wake_fd) != 0)
                abort();
        return slot;
}
