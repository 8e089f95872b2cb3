#include "master/upgrade/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/protocol/line_splitter.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "os/clock.h"
#include "os/process/spawn.h"
#include "os/process/title.h"

/* The same deadline as for reading a configuration. */
#define DEADLINE_MS 10000

/* What the program writes if it can take over. Anything else, or nothing, means that it cannot. */
#define READY_TEXT "preforkd: ready to take over\n"

/* How much of its stderr is reported. preforkd writes no more, so that it never blocks on the pipe. */
#define STDERR_MAX 4096

struct preflight {
        struct preflight_setup setup;
        pid_t pid;
        bool timed_out;
        int answer_fd, stderr_fd; /* the reading ends of its stdout and stderr */
        struct evloop_timer *deadline;
};

struct line_context {
        const char *path;
        struct problem_list *problems;
};

static void add_line(void *context, const struct line *line)
{
        const struct line_context *lines = context;

        problem_add(lines->problems, lines->path, 0, "%s", line->bytes);
}

/* Add each line of its stderr as a problem. */
static void read_stderr(const struct preflight *preflight, struct problem_list *problems)
{
        struct line_context context = {.path = preflight->setup.path, .problems = problems};
        struct line_splitter splitter = {0};
        char bytes[STDERR_MAX];

        ssize_t length = read(preflight->stderr_fd, bytes, sizeof(bytes));
        if (length > 0)
                line_splitter_feed(&splitter, bytes, (size_t)length, add_line, &context);
        line_splitter_flush(&splitter, add_line, &context);
        line_splitter_clear(&splitter);
}

static bool is_ready(const struct preflight *preflight)
{
        char answer[sizeof(READY_TEXT) + 1] = "";

        ssize_t length = read(preflight->answer_fd, answer, sizeof(answer) - 1);
        return length > 0 && text_equal(answer, READY_TEXT);
}

static void find_problems(const struct preflight *preflight, int status, struct problem_list *problems)
{
        const char *path = preflight->setup.path;

        if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && is_ready(preflight))
                return;
        read_stderr(preflight, problems);
        if (preflight->timed_out)
                problem_add(problems, path, 0, "its preflight took longer than %d s", DEADLINE_MS / 1000);
        else if (WIFSIGNALED(status))
                problem_add(problems, path, 0, "its preflight was killed by signal %d (%s)", WTERMSIG(status),
                            strsignal(WTERMSIG(status)));
        else if (!problem_list_refuses(problems))
                problem_add(problems, path, 0,
                            "it cannot take over: its preflight ended with code %d and without a message",
                            WEXITSTATUS(status));
}

/* Kill the processes that it has left behind, because they have our descriptors. The number of the group cannot belong
 * to another process: the child is not reaped yet, or has been reaped only now. */
static void kill_group(pid_t pid)
{
        kill(-pid, SIGKILL);
}

static void on_preflight_end(void *context, pid_t pid, int status, const struct rusage *usage)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        struct preflight *preflight = context;

        (void)usage;
        kill_group(pid);
        find_problems(preflight, status, &problems);
        preflight->setup.ended(preflight->setup.context, &problems);
}

void preflight_kill(struct preflight *preflight)
{
        kill_group(preflight->pid);
        /* Its process group may not exist yet. */
        reaper_kill(preflight->setup.reaper, preflight->pid, preflight, SIGKILL);
}

static void on_deadline(void *context)
{
        struct preflight *preflight = context;

        preflight->timed_out = true;
        preflight_kill(preflight);
}

/* The context of the child. */
struct child {
        const struct preflight_setup *setup;
        int answer_fd, stderr_fd;
};

static int run_child(void *context)
{
        const struct child *child = context;

        process_title_set(PREFLIGHT_TITLE);
        setpgid(0, 0);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(child->answer_fd, STDOUT_FILENO) < 0 ||
            dup2(child->stderr_fd, STDERR_FILENO) < 0)
                return EXIT_FAILURE;
        int r = child->setup->execute(child->setup->context);
        dprintf(STDERR_FILENO, "cannot execute it: %s\n", strerror(-r));
        return EXIT_FAILURE;
}

/* The pipes are read when the child has ended. A program that writes more than they hold blocks and misses the
 * deadline. */
static int start_child(struct preflight *preflight)
{
        const struct preflight_setup *setup = &preflight->setup;
        int answer[2], errors[2];

        if (pipe2(answer, O_CLOEXEC) < 0)
                return -errno;
        preflight->answer_fd = answer[0];
        _cleanup_(fd_closep) int answer_fd = answer[1];
        if (pipe2(errors, O_CLOEXEC) < 0)
                return -errno;
        preflight->stderr_fd = errors[0];
        _cleanup_(fd_closep) int stderr_fd = errors[1];
        if (fcntl(answer[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(errors[0], F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        struct child child = {.setup = setup, .answer_fd = answer_fd, .stderr_fd = stderr_fd};
        int r = spawn_child(run_child, &child, &preflight->pid);
        if (r == 0 && (r = reaper_add(setup->reaper, preflight->pid, on_preflight_end, preflight)) < 0)
                kill(preflight->pid, SIGKILL);
        return r;
}

int preflight_start(const struct preflight_setup *setup, struct preflight **ret)
{
        struct preflight *preflight = calloc(1, sizeof(*preflight));

        if (!preflight)
                return -ENOMEM;
        *preflight = (struct preflight){.setup = *setup, .answer_fd = -1, .stderr_fd = -1};
        int r = evloop_timer_new(setup->loop, on_deadline, preflight, &preflight->deadline);
        if (r == 0)
                r = start_child(preflight);
        if (r < 0) {
                preflight_free(preflight);
                return r;
        }
        evloop_timer_set(preflight->deadline, clock_now_ms() + DEADLINE_MS);
        *ret = preflight;
        return 0;
}

void preflight_free(struct preflight *preflight)
{
        if (!preflight)
                return;
        evloop_timer_free(preflight->deadline);
        fd_closep(&preflight->answer_fd);
        fd_closep(&preflight->stderr_fd);
        free(preflight);
}

void preflight_answer(int r, const struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};

        for (size_t i = 0; i < problems->count && text.length < STDERR_MAX / 2; i++)
                if (!problems->items[i].warning && problem_format(&problems->items[i], &text) == 0)
                        text_append(&text, "\n");
        if (r < 0) {
                dprintf(STDERR_FILENO, "%s", text.length > 0 ? text_string(&text) : strerror(-r));
                _exit(EXIT_FAILURE);
        }
        ssize_t written = write(STDOUT_FILENO, READY_TEXT, strlen(READY_TEXT));
        _exit(written == (ssize_t)strlen(READY_TEXT) ? EXIT_SUCCESS : EXIT_FAILURE);
}
