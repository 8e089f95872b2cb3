#include "master/config/config_child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "logic/config/print.h"
#include "master/config/config_reader.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "os/clock.h"
#include "os/memory_file.h"
#include "os/process/open_fds.h"
#include "os/process/signals.h"
#include "os/process/spawn.h"
#include "os/process/title.h"

#define DEADLINE_MS 10000

struct config_child {
        struct config_child_setup setup;
        config_child_callback callback;
        void *context;
        pid_t pid;
        int result_fd; /* a memfd that the child writes: neither process can block on it */
        struct evloop_timer *deadline;
        bool timed_out;
        bool cancelled;
};

/* The format of the result: for every problem its kind ('e' or 'w'), file, line and text, each ended by NUL; then 'c'
 * and NUL; then the configuration, unless a problem refuses it. */
static int append_field(struct text *text, const char *field)
{
        return text_append_bytes(text, field, strlen(field) + 1);
}

static int encode(const struct config *config, const struct problem_list *problems, struct text *text)
{
        int r = problems->out_of_memory ? -ENOMEM : 0;

        for (size_t i = 0; i < problems->count && r == 0; i++) {
                const struct problem *problem = &problems->items[i];
                r = append_field(text, problem->warning ? "w" : "e");
                if (r == 0)
                        r = append_field(text, problem->file ? problem->file : "");
                if (r == 0)
                        r = text_appendf(text, "%u", problem->line);
                if (r == 0)
                        r = append_field(text, "");
                if (r == 0)
                        r = append_field(text, problem->text);
        }
        if (r == 0)
                r = append_field(text, "c");
        if (r == 0 && !problem_list_refuses(problems))
                r = config_print(config, true, text);
        return r;
}

static int run_child(void *context)
{
        const struct config_child *load = context;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};
        const int keep[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, load->result_fd};
        sigset_t blocked;

        process_title_set("reading the configuration");
        sigemptyset(&blocked); /* a limit on the size of files is an error and not the end */
        sigaddset(&blocked, SIGXFSZ);
        signals_reset(load->setup.signals, &blocked);
        fds_close_all_except(keep, ELEMENTS(keep));
        int r = config_read(load->setup.source, &config, &problems);
        if (r == 0)
                r = encode(&config, &problems, &text);
        if (r == 0)
                r = memory_file_write(load->result_fd, text_string(&text), text.length);
        return -r; /* every errno fits into an exit status */
}

/* The next NUL-terminated field before `end`, or NULL. */
static const char *next_field(const char **cursor, const char *end)
{
        const char *field = *cursor;
        const char *nul = field < end ? memchr(field, '\0', (size_t)(end - field)) : NULL;

        if (!nul)
                return NULL;
        *cursor = nul + 1;
        return field;
}

/* Read one problem or the final 'c'. 1: a problem, 0: the configuration follows, -EPROTO. */
static int decode_problem(const char **cursor, const char *end, struct problem_list *problems)
{
        const char *kind = next_field(cursor, end);
        uint64_t line;

        if (!kind)
                return -EPROTO;
        if (text_equal(kind, "c"))
                return 0;
        const char *file = next_field(cursor, end);
        const char *line_text = file ? next_field(cursor, end) : NULL;
        const char *text = line_text ? next_field(cursor, end) : NULL;
        if (!text || number_parse(line_text, &line) < 0)
                return -EPROTO;
        (text_equal(kind, "w") ? problem_warn : problem_add)(problems, file[0] != '\0' ? file : NULL, (unsigned)line,
                                                             "%s", text);
        return 1;
}

static int decode(const char *bytes, size_t length, struct config **ret, struct problem_list *problems)
{
        const struct config_context context = config_reader_context(); /* the child has reported problems with options
                                                                        * already */
        const char *cursor = bytes, *end = bytes + length;
        int r;

        while ((r = decode_problem(&cursor, end, problems)) > 0)
                ;
        if (r < 0 || problem_list_refuses(problems))
                return r;
        return config_from_canonical(cursor, (size_t)(end - cursor), &context, ret, problems);
}

static int decode_result(int fd, struct config **ret, struct problem_list *problems)
{
        const char *bytes;
        size_t length;

        int r = memory_file_map(fd, &bytes, &length);
        if (r < 0)
                return r;
        r = decode(bytes, length, ret, problems);
        memory_file_unmap(bytes, length);
        return r;
}

void config_child_free(struct config_child *load)
{
        if (!load)
                return;
        evloop_timer_free(load->deadline);
        fd_closep(&load->result_fd);
        free(load);
}

static void on_child_exit(void *context, pid_t pid, int status, const struct rusage *usage)
{
        struct config_child *load = context;
        config_child_callback callback = load->callback;
        void *callback_context = load->context;
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        struct config *config = NULL;

        (void)pid;
        (void)usage;
        if (load->cancelled) {
                config_child_free(load);
                callback(callback_context, NULL, NULL);
                return;
        }
        if (load->timed_out)
                problem_add(&problems, NULL, 0,
                            "reading the configuration took longer than %d s; is a file system or a "
                            "user database not answering?",
                            DEADLINE_MS / 1000);
        else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                problem_add(&problems, NULL, 0, "the process that reads the configuration %s: %s",
                            WIFEXITED(status) ? "failed" : "was killed",
                            WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : strsignal(WTERMSIG(status)));
        else {
                int r = decode_result(load->result_fd, &config, &problems);
                if (r < 0)
                        problem_add(&problems, NULL, 0, "cannot take over the configuration: %s", strerror(-r));
        }
        config_child_free(load);
        callback(callback_context, config, &problems);
}

static void on_deadline(void *context)
{
        struct config_child *load = context;

        load->timed_out = true;
        reaper_kill(load->setup.reaper, load->pid, load, SIGKILL);
}

int config_child_start(const struct config_child_setup *setup, config_child_callback callback, void *context,
                       struct config_child **ret)
{
        struct config_child *load = calloc(1, sizeof(*load));
        int r = load ? 0 : -ENOMEM;

        if (r < 0)
                return r;
        *load = (struct config_child){.setup = *setup, .callback = callback, .context = context, .result_fd = -1};
        r = memory_file_open("preforkd:configuration", &load->result_fd);
        if (r == 0)
                r = evloop_timer_new(setup->loop, on_deadline, load, &load->deadline);
        if (r == 0)
                r = spawn_child(run_child, load, &load->pid);
        if (r == 0 && (r = reaper_add(setup->reaper, load->pid, on_child_exit, load)) < 0)
                kill(load->pid, SIGKILL);
        if (r < 0) {
                config_child_free(load);
                return r;
        }
        evloop_timer_set(load->deadline, clock_now_ms() + DEADLINE_MS);
        *ret = load;
        return 0;
}

void config_child_cancel(struct config_child *load)
{
        if (!load)
                return;
        load->cancelled = true;
        reaper_kill(load->setup.reaper, load->pid, load, SIGKILL);
}
