#include "preload/listeners.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/sys.h"
#include "preload/touch/proc_text.h"

#define LISTENERS_MAX 128
#define SETS_MAX 16

/* What a socket is, whatever number it has. */
struct identity {
        dev_t device;
        ino_t inode;
};

/* A descriptor that is one of them. */
struct place {
        int fd, index;
        long descriptor_flags;
};

static struct {
        int numbers[LISTENERS_MAX];
        size_t count;
        struct identity identities[LISTENERS_MAX]; /* of those that the program was given */
        size_t identity_count;
        int sets[SETS_MAX];
        size_t set_count;
        struct place places[LISTENERS_MAX]; /* of a template */
        size_t place_count;
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

int listeners_index(int fd)
{
        struct identity found;

        if (!identify(fd, &found))
                return -1;
        for (size_t i = 0; i < known.identity_count; i++)
                if (known.identities[i].inode == found.inode && known.identities[i].device == found.device)
                        return (int)i;
        return -1;
}

bool listeners_has(int fd)
{
        if (listeners_lists(fd))
                return true;
        if (known.count == LISTENERS_MAX || listeners_index(fd) < 0)
                return false;
        known.numbers[known.count++] = fd;
        return true;
}

size_t listeners_given(void)
{
        return known.identity_count;
}

static bool add_place(int fd, int index)
{
        if (known.place_count == LISTENERS_MAX)
                return false;
        known.places[known.place_count++] =
                (struct place){.fd = fd, .index = index, .descriptor_flags = SYS_3(__NR_fcntl, fd, F_GETFD, 0)};
        return true;
}

static bool find_places(void)
{
        bool all = true;
        struct proc_fds fds;

        known.place_count = 0;
        proc_fds_begin(&fds);
        for (int fd = proc_fds_next(&fds); fd >= 0 && all; fd = proc_fds_next(&fds)) {
                int index = listeners_index(fd);
                if (index >= 0)
                        all = listeners_has(fd) && add_place(fd, index);
        }
        proc_fds_end(&fds);
        return all && known.place_count > 0;
}

static bool put(int fd, const struct place *place)
{
        return sys_put(fd, place->fd, place->descriptor_flags) >= 0;
}

bool listeners_leave(void)
{
        bool done = find_places();

        if (!done)
                return false;
        int none = (int)SYS_3(__NR_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        for (size_t i = 0; i < known.place_count && done; i++)
                done = none >= 0 && put(none, &known.places[i]);
        if (none >= 0)
                sys_close(none);
        return done;
}

bool listeners_put(const int *fds)
{
        for (size_t i = 0; i < known.place_count; i++)
                if (!put(fds[known.places[i].index], &known.places[i]))
                        return false;
        for (size_t i = 0; i < known.identity_count; i++)
                if (!identify(fds[i], &known.identities[i]))
                        return false;
        return true;
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
