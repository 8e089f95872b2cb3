#include "lib/door.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define REPLACE_TRIES 100

static struct {
        int door_fd;
        const int *listen_fds;
        size_t listen_count;
        pid_t parent;
        struct itimerval orphan_timer;
        volatile sig_atomic_t closed;
        volatile sig_atomic_t orphaned;
} door = {.door_fd = -1};

/* dup3(2) may be interrupted, or meet the kernel in the middle of something (EBUSY); a listener that stays open would
 * be accepted from. */
static void replace(int listen_fd)
{
        for (unsigned tries = 0; tries < REPLACE_TRIES; tries++)
                if (dup3(door.door_fd, listen_fd, O_CLOEXEC) >= 0 || (errno != EBUSY && errno != EINTR))
                        return;
}

void door_close(void)
{
        int saved_errno = errno;

        door.closed = 1;
        for (size_t i = 0; i < door.listen_count; i++)
                replace(door.listen_fds[i]);
        if (!door.orphaned && getppid() != door.parent) {
                door.orphaned = 1;
                setitimer(ITIMER_REAL, &door.orphan_timer, NULL);
        }
        errno = saved_errno;
}

static void on_retire_signal(int signal_number)
{
        (void)signal_number;
        door_close();
}

int door_install(const int *listen_fds, size_t listen_count, pid_t parent, unsigned orphan_timeout_ms)
{
        /* Without SA_RESTART, accept and the wait for a handler return with EINTR. */
        const struct sigaction action = {.sa_handler = on_retire_signal};
        /* Any descriptor that is always readable and not a socket would do. An eventfd needs no path, so it works in a
         * chroot. */
        _cleanup_(fd_closep) int door_fd = eventfd(1, EFD_CLOEXEC);
        sigset_t mask;

        if (door_fd < 0)
                return -errno;
        door.listen_fds = listen_fds;
        door.listen_count = listen_count;
        door.parent = parent;
        door.orphan_timer.it_value =
                (struct timeval){.tv_sec = orphan_timeout_ms / 1000, .tv_usec = orphan_timeout_ms % 1000 * 1000L + 1};
        if (sigaction(DOOR_SIGNAL, &action, NULL) < 0)
                return -errno;
        door.door_fd = TAKE_FD(door_fd);
        if (prctl(PR_SET_PDEATHSIG, DOOR_SIGNAL, 0, 0, 0) < 0)
                return -errno;
        door_signal_set(&mask);
        if (sigprocmask(SIG_UNBLOCK, &mask, NULL) < 0)
                return -errno;
        /* If the parent died before the prctl above, the kernel sends no signal. */
        return getppid() == parent ? 0 : -ESRCH;
}

void door_signal_set(sigset_t *ret)
{
        sigemptyset(ret);
        sigaddset(ret, DOOR_SIGNAL);
}

bool door_is_closed(void)
{
        return door.closed;
}

bool door_is_orphaned(void)
{
        return door.orphaned;
}
