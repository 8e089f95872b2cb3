#include "os/scoreboard_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/* NULL with errno set if it fails. */
static struct prefork_scoreboard *map(int fd)
{
        void *memory = mmap(NULL, sizeof(struct pool_memory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        return memory == MAP_FAILED ? NULL : memory;
}

/* The same for the master, whose children do not get the mapping: each worker maps the scoreboard of its own pool. */
static struct prefork_scoreboard *map_unforked(int fd)
{
        struct prefork_scoreboard *board = map(fd);

        if (board && madvise(board, sizeof(struct pool_memory), MADV_DONTFORK) < 0) {
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
        const off_t size = sizeof(struct pool_memory);
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

/* Early in the life of a machine there may be no random numbers yet: then what nobody can know exactly has to do. */
static void make_key(uint64_t key[2])
{
        struct timespec now = {0};

        if (getrandom(key, 2 * sizeof(*key), GRND_NONBLOCK) == 2 * (ssize_t)sizeof(*key))
                return;
        clock_gettime(CLOCK_MONOTONIC, &now);
        key[0] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
        key[1] = (uint64_t)(uintptr_t)key ^ (uint64_t)getpid() << 48;
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
        make_key(rate_table_of(board)->key);
        *ret = board;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int scoreboard_memory_adopt(int fd, struct prefork_scoreboard **ret)
{
        struct stat status;

        if (fstat(fd, &status) < 0)
                return -errno;
        if ((size_t)status.st_size != sizeof(struct pool_memory))
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
                munmap(board, sizeof(struct pool_memory));
}
