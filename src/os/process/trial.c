#include "os/process/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/memory_file.h"
#include "os/process/open_fds.h"
#include "os/process/spawn.h"
#include "os/process/stack.h"

#define LOOK_MS 2

/* The result begins with this byte, so that a child that something else has ended is told from one that is through. */
#define IS_THROUGH "+"

struct trial {
        int (*entry)(const void *context, struct text *why);
        const void *context;
        int result_fd;
};

void trial_end_with_parent(void)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static int run_child(void *context)
{
        const struct trial *trial = context;
        _cleanup_(text_clear) struct text why = {0};

        stack_forget(); /* the caller may have read secrets of others */
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        setsid();
        trial_end_with_parent();
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null_fd >= 0; fd++)
                dup2(null_fd, fd);
        const int keep[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, trial->result_fd};
        fds_close_all_except(keep, ELEMENTS(keep));
        int result = trial->entry(trial->context, &why);
        int r = memory_file_write(trial->result_fd, IS_THROUGH, 1);
        if (r == 0)
                r = memory_file_write(trial->result_fd, text_string(&why), why.length);
        return r < 0 ? -r : -result; /* every errno fits into an exit status */
}

/* Wait for the end of the child, and collect it. False: it took too long, and was killed. */
static bool wait_for_end(pid_t pid, unsigned timeout_ms, int *ret_status)
{
        uint64_t give_up_ms = clock_now_ms() + timeout_ms;

        for (;;) {
                pid_t ended = waitpid(pid, ret_status, WNOHANG);
                if (ended == pid || (ended < 0 && errno != EINTR))
                        return true;
                if (clock_now_ms() >= give_up_ms)
                        break;
                poll(NULL, 0, LOOK_MS);
        }
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL); /* it may not lead its group yet */
        while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
                ;
        return false;
}

static int explain_end(int status, struct text *why)
{
        int r = WIFSIGNALED(status) ? text_appendf(why, "it crashes: killed by signal %d (%s)", WTERMSIG(status),
                                                   strsignal(WTERMSIG(status)))
                                    : text_appendf(why, "it ends its process, with code %d", WEXITSTATUS(status));

        return r < 0 ? r : -ECHILD;
}

static int read_result(int fd, int status, struct text *why)
{
        const char *bytes = NULL;
        size_t length = 0;

        int r = memory_file_map(fd, &bytes, &length);
        if (r < 0 && r != -ENODATA)
                return r;
        bool is_through = WIFEXITED(status) && length > 0 && bytes[0] == IS_THROUGH[0];
        r = is_through ? text_append_bytes(why, bytes + 1, length - 1) : explain_end(status, why);
        if (bytes)
                memory_file_unmap(bytes, length);
        return r < 0 ? r : -WEXITSTATUS(status);
}

int trial_run(int (*entry)(const void *context, struct text *why), const void *context, unsigned timeout_ms,
              struct text *why)
{
        struct trial trial = {.entry = entry, .context = context, .result_fd = -1};
        pid_t pid = -1;
        int status = 0;

        int r = memory_file_open("preforkd:trial", &trial.result_fd);
        _cleanup_(fd_closep) int result_fd = r < 0 ? -1 : trial.result_fd;
        if (r == 0)
                r = spawn_child(run_child, &trial, &pid);
        if (r < 0)
                return text_appendf(why, "no process to try it in: %s", strerror(-r)) < 0 ? -ENOMEM : r;
        if (wait_for_end(pid, timeout_ms, &status))
                return read_result(result_fd, status, why);
        return text_appendf(why, "it takes longer than %u ms", timeout_ms) < 0 ? -ENOMEM : -ETIMEDOUT;
}
