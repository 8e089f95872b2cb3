#include "os/scoreboard_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* NULL with errno set if it fails. */
static struct prefork_scoreboard *map(int fd)
{
        void *memory = mmap(NULL, sizeof(struct prefork_scoreboard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        return memory == MAP_FAILED ? NULL : memory;
}

/* The same for the master, whose children do not get the mapping: each worker maps the scoreboard of its own pool. */
static struct prefork_scoreboard *map_unforked(int fd)
{
        struct prefork_scoreboard *board = map(fd);

        if (board && madvise(board, sizeof(*board), MADV_DONTFORK) < 0) {
                int error = errno;
                scoreboard_memory_close(board);
                errno = error;
                return NULL;
        }
        return board;
}

int scoreboard_memory_map(int fd, struct prefork_scoreboard **ret)
{
        struct prefork_scoreboard *board = map(fd);

        if (!board)
                return -errno;
        *ret = board;
        return 0;
}

void scoreboard_memory_restore(struct prefork_scoreboard *board)
{
        board->magic = PREFORK_SCOREBOARD_MAGIC;
        board->version = PREFORK_SCOREBOARD_VERSION;
        board->header_bytes = offsetof(struct prefork_scoreboard, slots);
        board->slot_bytes = sizeof(struct prefork_slot);
        board->slot_count = PREFORK_SCOREBOARD_SLOTS;
}

/* Give the file its size, of which few pages are used. RLIMIT_FSIZE is meant for files on disks; the master may have a
 * smaller one, which is put back. 0 or -errno. */
static int set_size(int fd)
{
        const off_t size = sizeof(struct prefork_scoreboard);
        struct rlimit before;

        if (ftruncate(fd, size) == 0)
                return 0;
        if (errno != EFBIG || getrlimit(RLIMIT_FSIZE, &before) < 0)
                return -errno;
        const struct rlimit raised = {.rlim_cur = (rlim_t)size, .rlim_max = MAX_OF(before.rlim_max, (rlim_t)size)};
        if (setrlimit(RLIMIT_FSIZE, &raised) < 0)
                return -EFBIG;
        int r = ftruncate(fd, size) < 0 ? -errno : 0;
        setrlimit(RLIMIT_FSIZE, &before);
        return r;
}

int scoreboard_memory_open(const char *pool_name, struct prefork_scoreboard **ret, int *ret_fd)
{
        char name[80];

        snprintf(name, sizeof(name), "preforkd:%s", pool_name);
        _cleanup_(fd_closep) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        int r = set_size(fd);
        if (r < 0)
                return r;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        struct prefork_scoreboard *board = map_unforked(fd);
        if (!board)
                return -errno;
        scoreboard_memory_restore(board);
        board->high_above = UINT32_MAX;
        *ret = board;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int scoreboard_memory_adopt(int fd, struct prefork_scoreboard **ret)
{
        struct stat status;

        if (fstat(fd, &status) < 0)
                return -errno;
        if ((size_t)status.st_size != sizeof(struct prefork_scoreboard))
                return -EPROTO;
        struct prefork_scoreboard *board = map_unforked(fd);
        if (!board)
                return -errno;
        scoreboard_memory_restore(board);
        *ret = board;
        return 0;
}

void scoreboard_memory_close(struct prefork_scoreboard *board)
{
        if (board)
                munmap(board, sizeof(*board));
}
