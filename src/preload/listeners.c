#include "preload/listeners.h"

#include <sys/stat.h>

#include "lib/sys.h"

#define LISTENERS_MAX 128
#define SETS_MAX 16

/* What a socket is, whatever number it has. */
struct identity {
        dev_t device;
        ino_t inode;
};

static struct {
        int numbers[LISTENERS_MAX];
        size_t count;
        struct identity identities[LISTENERS_MAX]; /* of those that the program was given */
        size_t identity_count;
        int sets[SETS_MAX];
        size_t set_count;
} known;

static bool identify(int fd, struct identity *ret)
{
        struct stat status = {0};

        if (sys_fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
                return false;
        *ret = (struct identity){.device = status.st_dev, .inode = status.st_ino};
        return true;
}

bool listeners_begin(const struct attachment *attachment)
{
        uint64_t count = attachment->values[ATTACH_LISTEN_FDS];

        if (count > LISTENERS_MAX / 2)
                return false;
        for (uint64_t i = 0; i < count; i++) {
                known.numbers[i] = (int)(attachment->values[ATTACH_LISTEN_FD] + i);
                if (!identify(known.numbers[i], &known.identities[i]))
                        return false;
        }
        known.count = known.identity_count = count;
        return true;
}

const int *listeners_numbers(void)
{
        return known.numbers;
}

size_t listeners_count(void)
{
        return known.count;
}

bool listeners_lists(int fd)
{
        for (size_t i = 0; i < known.count; i++)
                if (known.numbers[i] == fd)
                        return true;
        return false;
}

bool listeners_has(int fd)
{
        struct identity found;

        if (listeners_lists(fd))
                return true;
        if (known.count == LISTENERS_MAX || !identify(fd, &found))
                return false;
        for (size_t i = 0; i < known.identity_count; i++)
                if (known.identities[i].inode == found.inode && known.identities[i].device == found.device) {
                        known.numbers[known.count++] = fd;
                        return true;
                }
        return false;
}

void listeners_note_set(int epoll_fd)
{
        if (!listeners_in_set(epoll_fd) && known.set_count < SETS_MAX)
                known.sets[known.set_count++] = epoll_fd;
}

bool listeners_in_set(int epoll_fd)
{
        for (size_t i = 0; i < known.set_count; i++)
                if (known.sets[i] == epoll_fd)
                        return true;
        return false;
}

/* Remove the numbers of that range from a list. */
static void forget(int *numbers, size_t *count, unsigned first, unsigned last)
{
        for (size_t i = *count; i-- > 0;)
                if ((unsigned)numbers[i] >= first && (unsigned)numbers[i] <= last)
                        numbers[i] = numbers[--*count];
}

void listeners_forget(unsigned first, unsigned last)
{
        forget(known.numbers, &known.count, first, last);
        forget(known.sets, &known.set_count, first, last);
}
