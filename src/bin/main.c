/* main(): arguments → configuration → run. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/text.h"
#include "bin/command_line.h"
#include "logger/logger_main.h"
#include "logic/config/config_options.h"
#include "logic/config/print.h"
#include "master/config/config_reader.h"
#include "master/daemon/daemon.h"
#include "master/daemon/signal_dispatch.h"
#include "master/upgrade/way_back.h"
#include "os/process/image.h"
#include "os/process/open_fds.h"
#include "os/process/title.h"
#include "worker/worker_main.h"

/* As long as a reload reads a configuration. */
#define DEADLINE_S 10

static int print(const char *string)
{
        if (fputs(string, stdout) >= 0 && fflush(stdout) == 0)
                return MASTER_EXIT_OK;
        fprintf(stderr, "preforkd: cannot write to the standard output: %s\n", strerror(errno));
        return MASTER_EXIT_FAILURE;
}

static int print_text(int r, const struct text *text)
{
        if (r == 0)
                return print(text_string(text));
        fprintf(stderr, "preforkd: %s\n", strerror(-r));
        return MASTER_EXIT_FAILURE;
}

static int print_config_help(void)
{
        _cleanup_(text_clear) struct text text = {0};

        return print_text(config_print_help(&text), &text);
}

static void print_problems(const struct problem_list *problems)
{
        for (size_t i = 0; i < problems->count; i++) {
                _cleanup_(text_clear) struct text text = {0};
                if (problem_format(&problems->items[i], &text) == 0)
                        fprintf(stderr, "%s%s\n", problems->items[i].warning ? "warning: " : "", text_string(&text));
        }
}

/* Somebody waits for -t, as for a reload. Only async-signal-safe calls. */
static void give_up(int signal_number)
{
        static const char text[] =
                "preforkd: reading the configuration took longer than 10 s; is a file system or a user "
                "database not answering?\n";

        (void)signal_number;
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(MASTER_EXIT_CONFIG);
}

static void set_deadline(void)
{
        const struct sigaction action = {.sa_handler = give_up};
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        sigaction(SIGALRM, &action, NULL);
        sigprocmask(SIG_UNBLOCK, &set, NULL); /* whoever has started us may have blocked it */
        alarm(DEADLINE_S);
}

/* -t and -T: read here, where waiting harms nobody for a while. */
static int examine(const struct config_source *source, bool dump)
{
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};

        set_deadline();
        int r = config_read(source, &config, &problems);
        alarm(0); /* whoever reads our output may take their time */
        print_problems(&problems);
        if (r < 0) {
                fprintf(stderr, "preforkd: %s\n", strerror(-r));
                return MASTER_EXIT_FAILURE;
        }
        if (problem_list_refuses(&problems))
                return MASTER_EXIT_CONFIG;
        if (config.pool_count == 0) {
                fprintf(stderr, "preforkd: nothing to serve: the configuration has no pool\n");
                return MASTER_EXIT_NOTHING;
        }
        if (dump)
                return print_text(config_print(&config, false, &text), &text);
        fprintf(stderr, "preforkd: the configuration is good: %zu pool%s\n", config.pool_count,
                config.pool_count == 1 ? "" : "s");
        return MASTER_EXIT_OK;
}

static int run(const struct command_line *line, struct daemon_setup *setup)
{
        const struct config_source source = {.file = line->file,
                                             .options = (const char *const *)line->options.list,
                                             .is_test = line->command != COMMAND_RUN};

        switch (line->command) {
        case COMMAND_HELP:
                return print(command_line_help);
        case COMMAND_HELP_CONFIG:
                return print_config_help();
        case COMMAND_VERSION:
                return print("preforkd " PREFORKD_VERSION "\n");
        case COMMAND_TEST:
        case COMMAND_DUMP:
                return examine(&source, line->command == COMMAND_DUMP);
        case COMMAND_RUN:
                break;
        }
        setup->source = source;
        setup->arguments = line->arguments;
        setup->take_over = line->take_over;
        setup->worker_entry = worker_main;
        setup->logger_entry = logger_main;
        return daemon_run(setup);
}

int main(int argc, char **argv, char **environment)
{
        _cleanup_(command_line_clear) struct command_line line = {0};
        _cleanup_(text_clear) struct text problem = {0};
        _cleanup_(freep) char *program = NULL;
        struct daemon_setup setup = {.argv = argv};

        take_over_parse(argc - 1, &argv[1], &setup.take_over);
        int r = fds_open_standard();
        /* While argv[0] is what it was. Only an upgrade needs it, and is executed by it. */
        if (argc > 0 && image_find(argv[0], &program) < 0 && argv[0][0] == '/')
                program = strdup(argv[0]);
        setup.program = program;
        process_title_init(argc, argv, environment); /* moves argv and the environment: before anybody points there */
        if (r == 0)
                r = command_line_parse(argc, argv, &line, &problem);
        if (r < 0) {
                way_back_go(&setup.take_over, program, argv);
                fprintf(stderr, "preforkd: %s\nTry \"preforkd --help\".\n",
                        problem.length == 0 ? strerror(-r) : text_string(&problem));
                return MASTER_EXIT_USAGE;
        }
        if (line.command == COMMAND_RUN)
                r = signals_take(master_signals, master_signal_count, &setup.signals);
        if (r == 0)
                r = resource_read(&setup.original_limits);
        if (r < 0) {
                way_back_go(&setup.take_over, program, argv);
                fprintf(stderr, "preforkd: cannot start: %s\n", strerror(-r));
                return MASTER_EXIT_FAILURE;
        }
        return run(&line, &setup);
}
