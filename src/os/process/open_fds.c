#include "os/process/open_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* The smallest descriptor in `keep` that is at least `from`; -1 if there is none. */
static int next_kept(const int *keep, size_t count, unsigned from)
{
        int smallest = -1;

        for (size_t i = 0; i < count; i++)
                if (keep[i] >= 0 && (unsigned)keep[i] >= from && (smallest < 0 || keep[i] < smallest))
                        smallest = keep[i];
        return smallest;
}

int fds_close_all_except(const int *keep, size_t count)
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

int fds_open_standard(void)
{
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
                if (fcntl(fd, F_GETFD) >= 0)
                        continue;
                /* open(2) returns the lowest free number, which is this one. Without FD_CLOEXEC it stays open in
                 * programs that we execute, as an inherited one would. */
                if (open("/dev/null", O_RDWR | O_CLOEXEC) != fd || fcntl(fd, F_SETFD, 0) < 0)
                        return -errno;
        }
        return 0;
}
