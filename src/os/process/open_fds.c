#include "os/process/open_fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

/* The smallest descriptor in `keep` that is at least `from`; -1 if there is none. */
static int next_kept(const int *keep, size_t count, unsigned from)
{
        int smallest = -1;

        for (size_t i = 0; i < count; i++)
                if (keep[i] >= 0 && (unsigned)keep[i] >= from && (smallest < 0 || keep[i] < smallest))
                        smallest = keep[i];
        return smallest;
}

/* 0 or -errno of close_range(2). */
static int close_ranges(const int *keep, size_t count)
{
        unsigned from = 0;

        for (;;) {
                int kept = next_kept(keep, count, from);
                unsigned end = kept < 0 ? UINT_MAX : (unsigned)kept; /* the next descriptor to keep */
                if (end > from && close_range(from, kept < 0 ? UINT_MAX : end - 1, 0) < 0)
                        return -errno;
                if (kept < 0)
                        return 0;
                from = end + 1;
        }
}

static bool is_kept(const int *keep, size_t count, int fd)
{
        for (size_t i = 0; i < count; i++)
                if (keep[i] == fd)
                        return true;
        return false;
}

/* Close what one piece of a listing of /proc/self/fd names, except `directory` itself. True if that was among it. */
static bool close_entries(const char *entries, size_t length, int directory, const int *keep, size_t count)
{
        bool was_listed = false;

        for (size_t at = 0; at < length;) {
                const struct dirent64 *entry = (const void *)&entries[at];
                uint64_t fd = UINT64_MAX;
                if (number_parse(entry->d_name, &fd) == 0 && fd <= INT_MAX) {
                        was_listed |= (int)fd == directory;
                        if ((int)fd != directory && !is_kept(keep, count, (int)fd))
                                close((int)fd);
                }
                at += entry->d_reclen;
        }
        return was_listed;
}

/* Close what /proc lists. It lists descriptors in the order of their numbers, whatever is closed meanwhile. readdir(3)
 * would allocate. 0; -errno of open(2) or getdents64(2); -ENOENT: this is not the listing of our descriptors. */
static int close_listed(const int *keep, size_t count)
{
        _Alignas(struct dirent64) char entries[4096];
        _cleanup_(fd_closep) int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool was_listed = false;
        long length;

        if (directory < 0)
                return -errno;
        while ((length = syscall(SYS_getdents64, directory, entries, sizeof(entries))) > 0)
                was_listed |= close_entries(entries, (size_t)length, directory, keep, count);
        return length < 0 ? -errno : was_listed ? 0 : -ENOENT;
}

/* Close all numbers that this process may use. */
static int close_possible(const int *keep, size_t count)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return -errno;
        for (int fd = 0; (rlim_t)fd < MIN_OF(limit.rlim_cur, (rlim_t)INT_MAX); fd++)
                if (!is_kept(keep, count, fd))
                        close(fd);
        return 0;
}

int fds_close_all_except(const int *keep, size_t count)
{
        int r = close_ranges(keep, count);

        if (r == -ENOSYS || r == -EPERM) /* an old kernel or an old filter of system calls */
                r = close_listed(keep, count) < 0 ? close_possible(keep, count) : 0;
        return r;
}

int fds_open_standard(void)
{
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
                        continue;
                /* open(2) returns the lowest free number, which is this one. Without FD_CLOEXEC it stays open in
                 * programs that we execute, as an inherited one would. */
                if (open("/dev/null", O_RDWR | O_CLOEXEC) != fd || fcntl(fd, F_SETFD, 0) < 0)
                        return -errno;
        }
        return 0;
}
