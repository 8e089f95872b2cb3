#include "os/process/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void do_nothing(int number)
{
        (void)number;
}

static void fill_set(sigset_t *set, const int *signals, size_t count)
{
        sigemptyset(set);
        for (size_t i = 0; i < count; i++)
                sigaddset(set, signals[i]);
}

static bool can_be_handled(int number)
{
        struct sigaction current;

        /* sigaction(2) can read KILL and STOP too. It fails for the two signals that libc uses itself (32, 33). */
        return number != SIGKILL && number != SIGSTOP && sigaction(number, NULL, &current) == 0;
}

/* Record the ignored signals, and as `touched` the ignored and the taken ones. */
static void survey(const sigset_t *taken, struct signals_taken *ret)
{
        struct sigaction current;

        sigemptyset(&ret->ignored);
        for (int number = 1; number < NSIG; number++) {
                if (!can_be_handled(number) || sigaction(number, NULL, &current) < 0)
                        continue;
                bool ignored = !(current.sa_flags & SA_SIGINFO) && current.sa_handler == SIG_IGN;
                if (ignored)
                        sigaddset(&ret->ignored, number);
                if (ignored || sigismember(taken, number) == 1)
                        ret->touched[ret->touched_count++] = number;
        }
}

int signals_take(const int *signals, size_t count, struct signals_taken *ret)
{
        const struct sigaction nothing = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
        struct signals_taken taken = {0};
        sigset_t set;

        for (size_t i = 0; i < count; i++)
                if (!can_be_handled(signals[i]))
                        return -EINVAL;
        fill_set(&set, signals, count);
        /* Block before installing the handler, which would swallow a signal that arrives in between. */
        if (sigprocmask(SIG_BLOCK, &set, &taken.inherited) < 0)
                return -errno;
        survey(&set, &taken);
        for (size_t i = 0; i < count; i++)
                if (sigaction(signals[i], &nothing, NULL) < 0)
                        return -errno;
        *ret = taken;
        return 0;
}

int signals_open_fd(const int *signals, size_t count, int *ret_fd)
{
        sigset_t set;

        fill_set(&set, signals, count);
        int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

void signals_set_child_stops(bool are_sent)
{
        const struct sigaction nothing = {.sa_handler = do_nothing,
                                          .sa_flags = SA_RESTART | (are_sent ? 0 : SA_NOCLDSTOP)};

        sigaction(SIGCHLD, &nothing, NULL);
}

int signals_read(int fd, struct signals_event *ret)
{
        struct signalfd_siginfo info;

        ssize_t n = read(fd, &info, sizeof(info));
        if (n < 0)
                return -errno;
        if (n != sizeof(info))
                return -EIO;
        *ret = (struct signals_event){
                .number = (int)info.ssi_signo,
                .code = info.ssi_code,
                .pid = (pid_t)info.ssi_pid,
                .uid = info.ssi_uid,
                .status = info.ssi_status,
        };
        return 0;
}

static bool is_kept(const sigset_t *keep_blocked, int number)
{
        return keep_blocked && sigismember(keep_blocked, number) == 1;
}

static void reset_mask(const sigset_t *keep_blocked)
{
        sigset_t empty;

        sigemptyset(&empty);
        sigprocmask(SIG_SETMASK, keep_blocked ? keep_blocked : &empty, NULL);
}

void signals_reset(const struct signals_taken *taken, const sigset_t *keep_blocked)
{
        const struct sigaction standard = {.sa_handler = SIG_DFL};

        for (size_t i = 0; i < taken->touched_count; i++)
                if (!is_kept(keep_blocked, taken->touched[i]))
                        sigaction(taken->touched[i], &standard, NULL);
        reset_mask(keep_blocked);
}

void signals_reset_all(const sigset_t *keep_blocked)
{
        const struct sigaction standard = {.sa_handler = SIG_DFL};

        for (int number = 1; number < NSIG; number++)
                if (!is_kept(keep_blocked, number))
                        sigaction(number, &standard, NULL); /* fails for KILL, STOP and libc's own: no reset needed */
        reset_mask(keep_blocked);
}
