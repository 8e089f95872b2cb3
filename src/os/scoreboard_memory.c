#include "os/scoreboard_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int map(int fd, struct prefork_scoreboard **ret)
{
        struct prefork_scoreboard *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (board == MAP_FAILED)
                return -errno;
        *ret = board;
        return 0;
}

int scoreboard_memory_open(const char *pool_name, struct prefork_scoreboard **ret, int *ret_fd)
{
        char name[80];

        snprintf(name, sizeof(name), "preforkd:%s", pool_name);
        _cleanup_(fd_closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0 || ftruncate(fd, sizeof(struct prefork_scoreboard)) < 0)
                return -errno;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        struct prefork_scoreboard *board = NULL;
        int r = map(fd, &board);
        if (r < 0)
                return r;
        board->magic = PREFORK_SCOREBOARD_MAGIC;
        board->version = PREFORK_SCOREBOARD_VERSION;
        board->header_bytes = offsetof(struct prefork_scoreboard, slots);
        board->slot_bytes = sizeof(struct prefork_slot);
        board->slot_count = PREFORK_SCOREBOARD_SLOTS;
        board->high_above = UINT32_MAX;
        *ret = board;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int scoreboard_memory_adopt(int fd, struct prefork_scoreboard **ret)
{
        struct prefork_scoreboard *board = NULL;
        struct stat status;

        if (fstat(fd, &status) < 0)
                return -errno;
        if ((size_t)status.st_size != sizeof(*board))
                return -EPROTO;
        int r = map(fd, &board);
        if (r < 0)
                return r;
        if (board->magic != PREFORK_SCOREBOARD_MAGIC || board->version != PREFORK_SCOREBOARD_VERSION ||
            board->header_bytes != offsetof(struct prefork_scoreboard, slots) ||
            board->slot_bytes != sizeof(struct prefork_slot) || board->slot_count != PREFORK_SCOREBOARD_SLOTS) {
                scoreboard_memory_close(board);
                return -EPROTO;
        }
        *ret = board;
        return 0;
}

void scoreboard_memory_close(struct prefork_scoreboard *board)
{
        if (board)
                munmap(board, sizeof(*board));
}
