#include "master/upgrade/upgrade.h"

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
#include "base/log.h"
#include "base/text.h"
#include "logic/protocol/line_splitter.h"
#include "master/control/control_outcome.h"
#include "master/control/control_socket.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/manager/manager_link.h"
#include "master/status/report.h"
#include "master/upgrade/handover.h"
#include "os/clock.h"
#include "os/process/image.h"
#include "os/process/spawn.h"
#include "os/process/title.h"

/* For a trial, as for everything else that may hang in a process of its own. */
#define DEADLINE_MS 10000

/* What a trial says when all is well; anything else, also nothing, is a no. */
#define YES "preforkd: ready to take over\n"

/* Of what a trial says otherwise, so much is passed on; ours says no more, so that it never waits for a reader. */
#define WORDS_MAX 4096

struct upgrade {
        struct daemon *daemon;
        char *path;
        char by[48];
        struct image_file file; /* as it was tried */
        uint64_t config_serial; /* of the configuration it was tried with */
        pid_t pid;              /* of the trial; 0: it has succeeded */
        bool timed_out, cancelled;
        int answer_fd, stderr_fd; /* what it writes to stdout and stderr */
        struct evloop_timer *timer;
};

static void upgrade_free(struct upgrade *upgrade)
{
        evloop_timer_free(upgrade->timer);
        fd_closep(&upgrade->answer_fd);
        fd_closep(&upgrade->stderr_fd);
        free(upgrade->path);
        free(upgrade);
}

/* It has come to nothing: say so, and forget it. `upgrade` may be NULL. */
static void fail(struct daemon *daemon, struct upgrade *upgrade, const struct problem_list *problems)
{
        const struct control_outcome outcome = {.what = CONTROL_WAIT_UPGRADE, .load = UINT64_MAX, .problems = problems,
                                                .message = "not upgraded: the running program goes on"};

        if (upgrade)
                upgrade_free(upgrade);
        daemon->upgrade = NULL;
        report_problems(problems);
        log_event(MESSAGE_ID_UPGRADE_REFUSED, LOG_ERR, "%s", outcome.message);
        control_outcome_tell(daemon->control, &outcome);
}

/* `PATH --take-over=FD`, then the arguments that this program was started with. NULL: out of memory. */
static char **make_arguments(const struct upgrade *upgrade, const char *option)
{
        char *const *old = upgrade->daemon->setup->arguments;
        size_t count = 0;

        while (old[count])
                count++;
        char **arguments = calloc(count + 3, sizeof(*arguments));
        if (!arguments)
                return NULL;
        arguments[0] = upgrade->path;
        arguments[1] = (char *)(uintptr_t)option;
        memcpy(&arguments[2], old, count * sizeof(*arguments));
        return arguments;
}

/* Execute the program with the state as it is now. On success a child does, and does not return: -errno, with everything
 * as before. */
static int execute(const struct upgrade *upgrade, const char *option_name)
{
        _cleanup_(fd_closep) int state_fd = -1;
        _cleanup_(freep) char **arguments = NULL;
        struct state_file file;
        char option[48];

        int r = handover_write(upgrade->daemon, &file);
        if (r == 0)
                r = state_file_save(&file, &state_fd);
        snprintf(option, sizeof(option), "%s=%d", option_name, state_fd);
        if (r == 0 && (!(arguments = make_arguments(upgrade, option)) || !state_file_descriptor(&file, state_fd)))
                r = -ENOMEM;
        if (r == 0)
                r = image_execute(upgrade->path, arguments, file.descriptors, file.descriptor_count);
        state_file_forget(&file);
        return r;
}

static void replace_ourselves(struct upgrade *upgrade)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        struct daemon *daemon = upgrade->daemon;
        struct image_file file;

        int r = image_look(upgrade->path, &file);
        if (r == 0 && !image_is_same(&file, &upgrade->file))
                problem_add(&problems, upgrade->path, 0, "it has changed since it was tried");
        else if (r == 0) {
                log_notice("executing %s (%s)", upgrade->path, upgrade->by);
                r = manager_link_set_environment(daemon->manager);
                if (r == 0)
                        r = execute(upgrade, "--take-over");
                manager_link_clear_environment();
        }
        if (r < 0)
                problem_add(&problems, upgrade->path, 0, "cannot execute it: %s", strerror(-r));
        fail(daemon, upgrade, &problems);
}

struct word_context {
        const char *path;
        struct problem_list *problems;
};

static void take_word(void *context, const struct line *line)
{
        const struct word_context *words = context;

        problem_add(words->problems, words->path, 0, "%s", line->bytes);
}

/* What the trial had to say on its stderr, line by line. */
static void take_errors(const struct upgrade *upgrade, struct problem_list *problems)
{
        struct word_context context = {.path = upgrade->path, .problems = problems};
        struct line_splitter splitter = {0};
        char words[WORDS_MAX];

        ssize_t length = read(upgrade->stderr_fd, words, sizeof(words));
        if (length > 0)
                line_splitter_feed(&splitter, words, (size_t)length, take_word, &context);
        line_splitter_flush(&splitter, take_word, &context);
        line_splitter_clear(&splitter);
}

static bool says_yes(const struct upgrade *upgrade)
{
        char answer[sizeof(YES) + 1] = "";

        ssize_t length = read(upgrade->answer_fd, answer, sizeof(answer) - 1);
        return length > 0 && text_equal(answer, YES);
}

/* What a trial has left behind has our descriptors. Its group is named by a process that has just been reaped or is a child
 * still, so that nobody else can have the number. */
static void kill_group(pid_t pid)
{
        kill(-pid, SIGKILL);
}

static void end_preflight(const struct upgrade *upgrade)
{
        kill_group(upgrade->pid);
        reaper_kill(upgrade->daemon->reaper, upgrade->pid, SIGKILL); /* it may not have got its group yet */
}

static void on_preflight_end(void *context, pid_t pid, int status, const struct rusage *usage)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        struct upgrade *upgrade = context;

        (void)usage;
        kill_group(pid);
        if (upgrade->cancelled) {
                upgrade_close(upgrade->daemon);
                return;
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && says_yes(upgrade)) {
                upgrade->pid = 0;
                evloop_timer_set(upgrade->timer, 0); /* from a turn of its own: we are in the middle of the reaping */
                return;
        }
        take_errors(upgrade, &problems);
        if (upgrade->timed_out)
                problem_add(&problems, upgrade->path, 0, "its trial took longer than %d s", DEADLINE_MS / 1000);
        else if (WIFSIGNALED(status))
                problem_add(&problems, upgrade->path, 0, "its trial was killed by signal %d (%s)", WTERMSIG(status),
                            strsignal(WTERMSIG(status)));
        else if (!problem_list_refuses(&problems))
                problem_add(&problems, upgrade->path, 0, "it cannot take over: its trial ended with code %d and without a "
                            "word", WEXITSTATUS(status));
        fail(upgrade->daemon, upgrade, &problems);
}

static void on_timer(void *context)
{
        struct upgrade *upgrade = context;

        if (upgrade->pid == 0) {
                upgrade_continue(upgrade->daemon);
                return;
        }
        upgrade->timed_out = true;
        end_preflight(upgrade);
}

/* The child of a trial. */
struct trial {
        const struct upgrade *upgrade;
        int answer_fd, stderr_fd;
};

static int run_preflight(void *context)
{
        const struct trial *trial = context;

        process_title_set(UPGRADE_PREFLIGHT_TITLE);
        setpgid(0, 0);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(trial->answer_fd, STDOUT_FILENO) < 0 ||
            dup2(trial->stderr_fd, STDERR_FILENO) < 0)
                return MASTER_EXIT_FAILURE;
        int r = execute(trial->upgrade, "--try-take-over");
        dprintf(STDERR_FILENO, "cannot execute it: %s\n", strerror(-r));
        return MASTER_EXIT_FAILURE;
}

/* Pipes hold what is worth reading; a trial that writes more waits, and is out of time. */
static int start_preflight(struct upgrade *upgrade)
{
        int answer[2], words[2];

        if (pipe2(answer, O_CLOEXEC) < 0)
                return -errno;
        upgrade->answer_fd = answer[0];
        _cleanup_(fd_closep) int answer_fd = answer[1];
        if (pipe2(words, O_CLOEXEC) < 0)
                return -errno;
        upgrade->stderr_fd = words[0];
        _cleanup_(fd_closep) int stderr_fd = words[1];
        if (fcntl(answer[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(words[0], F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        struct trial trial = {.upgrade = upgrade, .answer_fd = answer_fd, .stderr_fd = stderr_fd};
        int r = evloop_timer_new(upgrade->daemon->loop, on_timer, upgrade, &upgrade->timer);
        if (r == 0)
                r = spawn_child(run_preflight, &trial, &upgrade->pid);
        if (r == 0 && (r = reaper_add(upgrade->daemon->reaper, upgrade->pid, on_preflight_end, upgrade)) < 0)
                kill(upgrade->pid, SIGKILL);
        if (r == 0)
                evloop_timer_set(upgrade->timer, clock_now_ms() + DEADLINE_MS);
        upgrade->config_serial = upgrade->daemon->config_serial;
        return r;
}

/* With the configuration of now: what nobody has tried is not executed. */
static void try_again(struct upgrade *upgrade)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        log_notice("upgrading: trying %s again, for the configuration has changed", upgrade->path);
        fd_closep(&upgrade->answer_fd);
        fd_closep(&upgrade->stderr_fd);
        evloop_timer_free(TAKE_PTR(upgrade->timer));
        int r = start_preflight(upgrade);
        if (r == 0)
                return;
        problem_add(&problems, upgrade->path, 0, "cannot execute it: %s", strerror(-r));
        fail(upgrade->daemon, upgrade, &problems);
}

void upgrade_continue(struct daemon *daemon)
{
        struct upgrade *upgrade = daemon->upgrade;

        /* A configuration that is being read would be lost, and with it the replies to those who wait for it. */
        if (!upgrade || upgrade->pid != 0 || daemon->load)
                return;
        if (upgrade->config_serial != daemon->config_serial)
                try_again(upgrade);
        else
                replace_ourselves(upgrade);
}

void upgrade_begin(struct daemon *daemon, const char *path, const char *by)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        if (daemon->state != DAEMON_RUNNING || daemon->upgrade) {
                log_notice("not upgrading (%s): %s", by, daemon->upgrade ? "an upgrade is under way" : "not running");
                return;
        }
        path = path ? path : daemon->setup->program;
        struct upgrade *upgrade = path ? calloc(1, sizeof(*upgrade)) : NULL;
        int r = !path ? -ENOENT : upgrade ? 0 : -ENOMEM;
        if (r == 0) {
                *upgrade = (struct upgrade){.daemon = daemon, .path = strdup(path), .answer_fd = -1, .stderr_fd = -1};
                snprintf(upgrade->by, sizeof(upgrade->by), "%s", by);
                r = upgrade->path ? image_look(path, &upgrade->file) : -ENOMEM;
        }
        if (r == 0) {
                log_notice("upgrading: trying %s (%s)", path, by);
                r = start_preflight(upgrade);
        }
        if (r == 0) {
                daemon->upgrade = upgrade;
                return;
        }
        problem_add(&problems, path, 0, "cannot execute it: %s", strerror(-r));
        fail(daemon, upgrade, &problems);
}

void upgrade_cancel(struct daemon *daemon)
{
        if (!daemon->upgrade)
                return;
        daemon->upgrade->cancelled = true;
        if (daemon->upgrade->pid == 0) /* tried, and about to go on */
                upgrade_close(daemon);
        else
                end_preflight(daemon->upgrade);
}

void upgrade_close(struct daemon *daemon)
{
        if (daemon->upgrade)
                upgrade_free(TAKE_PTR(daemon->upgrade));
}

void upgrade_answer_preflight(int r, const struct problem_list *problems)
{
        _cleanup_(text_clear) struct text text = {0};

        for (size_t i = 0; i < problems->count && text.length < WORDS_MAX / 2; i++)
                if (!problems->items[i].warning && problem_format(&problems->items[i], &text) == 0)
                        text_append(&text, "\n");
        if (r < 0) {
                dprintf(STDERR_FILENO, "%s", text.length > 0 ? text_string(&text) : strerror(-r));
                _exit(MASTER_EXIT_FAILURE);
        }
        ssize_t written = write(STDOUT_FILENO, YES, strlen(YES));
        _exit(written == (ssize_t)strlen(YES) ? MASTER_EXIT_OK : MASTER_EXIT_FAILURE);
}

void upgrade_take_over(struct daemon *daemon)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct take_over *take_over = &daemon->setup->take_over;

        int r = handover_read(daemon, take_over->fd, &problems);
        if (take_over->is_preflight)
                upgrade_answer_preflight(r, &problems);
        close(take_over->fd);
        report_problems(&problems);
        if (r < 0) {
                log_error("cannot take over: ending; workers finish their requests");
                _exit(MASTER_EXIT_FAILURE);
        }
        handover_begin(daemon, &problems);
}
