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

/* As for everything else that may hang in a process of its own. */
#define DEADLINE_MS 10000

/* What it says when all is well; anything else, also nothing, is a no. */
#define YES "preforkd: ready to take over\n"

/* Of what it says otherwise, so much is passed on; ours says no more, so that it never waits for a reader. */
#define WORDS_MAX 4096

struct preflight {
        struct preflight_setup setup;
        pid_t pid;
        bool timed_out;
        int answer_fd, stderr_fd; /* what it writes to stdout and stderr */
        struct evloop_timer *deadline;
};

struct word_context {
        const char *path;
        struct problem_list *problems;
};

static void take_word(void *context, const struct line *line)
{
        const struct word_context *words = context;

        problem_add(words->problems, words->path, 0, "%s", line->bytes);
}

/* What it had to say on its stderr, line by line. */
static void take_errors(const struct preflight *preflight, struct problem_list *problems)
{
        struct word_context context = {.path = preflight->setup.path, .problems = problems};
        struct line_splitter splitter = {0};
        char words[WORDS_MAX];

        ssize_t length = read(preflight->stderr_fd, words, sizeof(words));
        if (length > 0)
                line_splitter_feed(&splitter, words, (size_t)length, take_word, &context);
        line_splitter_flush(&splitter, take_word, &context);
        line_splitter_clear(&splitter);
}

static bool says_yes(const struct preflight *preflight)
{
        char answer[sizeof(YES) + 1] = "";

        ssize_t length = read(preflight->answer_fd, answer, sizeof(answer) - 1);
        return length > 0 && text_equal(answer, YES);
}

static void find_problems(const struct preflight *preflight, int status, struct problem_list *problems)
{
        const char *path = preflight->setup.path;

        if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && says_yes(preflight))
                return;
        take_errors(preflight, problems);
        if (preflight->timed_out)
                problem_add(problems, path, 0, "its preflight took longer than %d s", DEADLINE_MS / 1000);
        else if (WIFSIGNALED(status))
                problem_add(problems, path, 0, "its preflight was killed by signal %d (%s)", WTERMSIG(status),
                            strsignal(WTERMSIG(status)));
        else if (!problem_list_refuses(problems))
                problem_add(problems, path, 0,
                            "it cannot take over: its preflight ended with code %d and without a word",
                            WEXITSTATUS(status));
}

/* What it has left behind has our descriptors. Its group is named by a process that has just been reaped or is a child
 * still, so that nobody else can have the number. */
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
        reaper_kill(preflight->setup.reaper, preflight->pid, preflight,
                    SIGKILL); /* it may not have got its group yet */
}

static void on_deadline(void *context)
{
        struct preflight *preflight = context;

        preflight->timed_out = true;
        preflight_kill(preflight);
}

/* What the child is given. */
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

/* Pipes hold what is worth reading; a program that writes more waits, and is out of time. */
static int start_child(struct preflight *preflight)
{
        const struct preflight_setup *setup = &preflight->setup;
        int answer[2], words[2];

        if (pipe2(answer, O_CLOEXEC) < 0)
                return -errno;
        preflight->answer_fd = answer[0];
        _cleanup_(fd_closep) int answer_fd = answer[1];
        if (pipe2(words, O_CLOEXEC) < 0)
                return -errno;
        preflight->stderr_fd = words[0];
        _cleanup_(fd_closep) int stderr_fd = words[1];
        if (fcntl(answer[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(words[0], F_SETFL, O_NONBLOCK) < 0)
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

        for (size_t i = 0; i < problems->count && text.length < WORDS_MAX / 2; i++)
                if (!problems->items[i].warning && problem_format(&problems->items[i], &text) == 0)
                        text_append(&text, "\n");
        if (r < 0) {
                dprintf(STDERR_FILENO, "%s", text.length > 0 ? text_string(&text) : strerror(-r));
                _exit(EXIT_FAILURE);
        }
        ssize_t written = write(STDOUT_FILENO, YES, strlen(YES));
        _exit(written == (ssize_t)strlen(YES) ? EXIT_SUCCESS : EXIT_FAILURE);
}
