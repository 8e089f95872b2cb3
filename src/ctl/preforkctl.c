/* main() of preforkctl: turns the arguments into a request, the reply into an answer for people, and the result into an
 * exit code. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "base/words.h"
#include "ctl/advise.h"
#include "ctl/answers.h"
#include "ctl/client.h"
#include "ctl/health.h"
#include "ctl/import.h"
#include "ctl/logs.h"
#include "ctl/metrics.h"
#include "ctl/option.h"
#include "ctl/output.h"
#include "ctl/status.h"
#include "ctl/top.h"
#include "logic/config/config.h"
#include "logic/protocol/control_request.h"

#define INTERVAL_MS 1000
#define INTERVAL_MIN_MS 100

static const char help[] = "Usage: preforkctl [-s SOCKET] [--timeout SECONDS] [--json] COMMAND [ARGUMENT...]\n"
                           "\n"
                           "Controls a running preforkd.\n"
                           "\n"
                           "  status [POOL] [--workers] [--watch]\n"
                           "                             show the daemon and its pools, a pool in full, workers;\n"
                           "                             --watch: again and again\n"
                           "  top [POOL] [-d INTERVAL]   the same on the whole screen, refreshed\n"
                           "  metrics [POOL] [--openmetrics]\n"
                           "                             print the numbers for Prometheus\n"
                           "  logs [POOL] [-f] [-n N] [-p LEVEL] [--since TIME]\n"
                           "                             show its newest records in the journal; -f: go on\n"
                           "  why [POOL]                 show the last decisions with their reasons\n"
                           "  advise [POOL]              what was observed of pools, as advice on their limits\n"
                           "  healthcheck [POOL]         exit with 0 if all pools serve, else with 1\n"
                           "  reload [--dry-run]         apply the configuration, and show what changed\n"
                           "  reopen-logs                open the log file anew, after it was renamed\n"
                           "  restart POOL               replace every worker without losing a request\n"
                           "  scale POOL KEY=VALUE...    change limits until the next reload (max_workers=20)\n"
                           "  pause POOL                 retire all workers; clients wait\n"
                           "  resume POOL                serve again after pause\n"
                           "  drain [POOL]               tell balancers to send nobody else; serve on\n"
                           "  undrain [POOL]             end that\n"
                           "  kill-worker PID            end a worker and its handler now\n"
                           "  stop [--now]               stop gracefully, or at once\n"
                           "  upgrade [PATH]             replace the running program without a restart\n"
                           "  config                     print the configuration in force\n"
                           "  import FORMAT FILE...      make a configuration of files of another program;\n"
                           "                             needs no daemon\n"
                           "  version                    print the versions of preforkctl and preforkd\n"
                           "  help                       print this\n"
                           "\n"
                           "  -s, --socket SOCKET  the control socket (default " CONFIG_CONTROL_DEFAULT ")\n"
                           "      --timeout SECONDS  wait no longer for an answer (default 10, or 20 for\n"
                           "                       reload and upgrade)\n"
                           "      --json           print the reply unchanged, see preforkd-control(7)\n"
                           "  -h, --help           print this and exit\n"
                           "  -V, --version        print preforkctl's own version and exit\n"
                           "\n"
                           "Exit codes: 0, 1 failure or refused, 2 usage, 3 not running or not answering,\n"
                           "4 no permission.\n";

/* What to print instead of sending a request. */
enum action { ACTION_NONE, ACTION_HELP, ACTION_VERSION };

struct arguments {
        const char *socket_path;
        bool json, watch;
        unsigned interval_ms; /* 0: not given */
        unsigned patience_ms; /* 0: not given */
        enum action action;
        const char *wrong;    /* an invalid argument */
        const char *before;   /* printed before an answer; NULL: nothing */
        struct words request; /* the command and its arguments */
};

static int fail_usage(const char *message)
{
        fprintf(stderr, "preforkctl: %s\nTry \"preforkctl help\".\n", message);
        return CTL_EXIT_USAGE;
}

/* A duration from `least_ms` to an hour. */
static bool set_duration(const char *duration, unsigned least_ms, unsigned *ret_ms)
{
        uint64_t ms;

        if (!duration || number_parse_duration_ms(duration, &ms) < 0 || ms < least_ms || ms > 3600000)
                return false;
        *ret_ms = (unsigned)ms;
        return true;
}

static enum action find_action(const char *argument)
{
        if (text_equal(argument, "-h") || text_equal(argument, "--help"))
                return ACTION_HELP;
        return text_equal(argument, "-V") || text_equal(argument, "--version") ? ACTION_VERSION : ACTION_NONE;
}

/* What follows `import` is for it: the options of tcpserver are among that. */
static bool is_import(const struct arguments *arguments)
{
        return arguments->request.count > 0 && text_equal(arguments->request.list[0], "import");
}

/* preforkctl's own options may appear anywhere; everything else goes into the request. --help and --version end the
 * parsing: a user who writes `stop --help` does not want to stop anything. 0 or -ENOMEM. */
static int parse(char **argv, struct arguments *arguments)
{
        const char *value;
        int r = 0;

        for (int i = 1; argv[i] && r == 0 && !arguments->wrong; i++) {
                const char *argument = argv[i];
                if (is_import(arguments)) {
                        r = words_add(&arguments->request, argument);
                        continue;
                }
                arguments->action = find_action(argument);
                if (arguments->action != ACTION_NONE)
                        return 0;
                if (ctl_option_take(argv, &i, "-s", "--socket", &value)) {
                        arguments->socket_path = value;
                        arguments->wrong = value && value[0] != '\0' ? NULL : argument;
                } else if (ctl_option_take(argv, &i, "-d", "--delay", &value))
                        arguments->wrong =
                                set_duration(value, INTERVAL_MIN_MS, &arguments->interval_ms) ? NULL : argument;
                else if (ctl_option_take(argv, &i, NULL, "--timeout", &value))
                        arguments->wrong = set_duration(value, 1, &arguments->patience_ms) ? NULL : argument;
                else if (text_equal(argument, "--json"))
                        arguments->json = true;
                else if (text_equal(argument, "--watch"))
                        arguments->watch = true;
                else
                        r = words_add(&arguments->request, argument);
        }
        return r;
}

/* Append the answer to a command, for people. */
static int describe(const json_t *document, const struct control_request *request, struct text *text)
{
        switch (request->command) {
        case CONTROL_STATUS:
                return ctl_status_print(document, request->pool != NULL, ctl_style_of_stdout(), text);
        case CONTROL_WHY:
                return ctl_answer_why(document, text);
        case CONTROL_RELOAD:
                return ctl_answer_reload(document, text);
        default:
                return ctl_answer_done(document, text);
        }
}

/* The name of a command that changes something; NULL for a command that only reads. */
static const char *find_changing_name(const struct control_request *request)
{
        switch (request->command) {
        case CONTROL_STATUS:
        case CONTROL_WHY:
        case CONTROL_CONFIG:
        case CONTROL_VERSION:
                return NULL;
        case CONTROL_RELOAD:
                return request->flag ? NULL : control_command_name(request->command);
        default:
                return control_command_name(request->command);
        }
}

static int answer(const struct arguments *arguments, const struct control_request *request,
                  const struct ctl_reply *reply)
{
        _cleanup_(text_clear) struct text text = {0}, problems = {0};
        const char *change = reply->exit_code == CTL_EXIT_OK ? find_changing_name(request) : NULL;

        if (arguments->json && reply->document) {
                enum ctl_exit printed = ctl_output(text_string(&reply->bytes), change);
                return (int)(reply->exit_code != CTL_EXIT_OK ? reply->exit_code : printed);
        }
        if (reply->document && ctl_answer_problems(reply->document, &problems) == 0)
                fputs(text_string(&problems), stderr);
        if (reply->exit_code != CTL_EXIT_OK) {
                fprintf(stderr, "preforkctl: %s\n", text_string(&reply->message));
                return (int)reply->exit_code;
        }
        int r = arguments->before ? text_append(&text, arguments->before) : 0;
        if (r == 0)
                r = describe(reply->document, request, &text);
        if (r < 0) {
                fprintf(stderr, "preforkctl: %s\n", strerror(-r));
                return CTL_EXIT_FAILURE;
        }
        return (int)ctl_output(text_string(&text), change);
}

/* A path is relative to our working directory and not to the daemon's: make it absolute. 0 or -errno. */
static int make_absolute(struct words *request, const char *path)
{
        _cleanup_(freep) char *directory = getcwd(NULL, 0), *absolute = NULL;

        if (!directory)
                return -errno;
        if (asprintf(&absolute, "%s/%s", directory, path) < 0)
                return -ENOMEM;
        struct words words = {0};
        int r = words_add(&words, request->list[0]);
        if (r == 0)
                r = words_add(&words, absolute);
        if (r < 0) {
                words_clear(&words);
                return r;
        }
        words_clear(request);
        *request = words;
        return 0;
}

/* Send the request and print the answer. A malformed request is refused here, also if the daemon does not run. */
static int ask(struct arguments *arguments)
{
        _cleanup_(control_request_clear) struct control_request request = {0};
        _cleanup_(text_clear) struct text line = {0}, error = {0};

        int r = words_join(&line, &arguments->request);
        if (r == 0)
                r = control_request_parse(text_string(&line), line.length, &request, &error);
        if (r == -EINVAL)
                return fail_usage(text_string(&error));
        if (r == 0 && request.path && request.path[0] != '/')
                r = make_absolute(&arguments->request, request.path);
        if (r < 0) {
                fprintf(stderr, "preforkctl: %s\n", strerror(-r));
                return CTL_EXIT_FAILURE;
        }
        bool takes_long = request.command == CONTROL_RELOAD || request.command == CONTROL_UPGRADE;
        unsigned patience_ms = takes_long ? CTL_PATIENCE_RELOAD_MS : CTL_PATIENCE_MS;
        if (arguments->patience_ms > 0)
                patience_ms = arguments->patience_ms;
        struct ctl_reply reply = ctl_ask(arguments->socket_path, &arguments->request, patience_ms);
        int exit_code = answer(arguments, &request, &reply);
        ctl_reply_clear(&reply);
        return exit_code;
}

/* What separates one status from the next: a screen is used again, and elsewhere there is an empty line between. */
static const char *separator(const struct arguments *arguments, bool is_first)
{
        const char *terminal = getenv("TERM");

        if (arguments->json)
                return "";
        if (isatty(STDOUT_FILENO) && terminal && !text_equal(terminal, "dumb"))
                return "\033[H\033[J";
        return is_first ? "" : "\n";
}

/* Ask again and again, until something fails or a signal comes. */
static int run_watch(struct arguments *arguments)
{
        unsigned interval_ms = arguments->interval_ms > 0 ? arguments->interval_ms : INTERVAL_MS;
        const struct timespec pause = {.tv_sec = interval_ms / 1000, .tv_nsec = interval_ms % 1000 * 1000000L};

        if (!text_equal(arguments->request.list[0], "status"))
                return fail_usage("--watch is for status");
        for (bool is_first = true;; is_first = false) {
                arguments->before = separator(arguments, is_first);
                int exit_code = ask(arguments);
                if (exit_code != CTL_EXIT_OK)
                        return exit_code;
                nanosleep(&pause, NULL);
        }
}

static int run_top(const struct arguments *arguments)
{
        const struct words *words = &arguments->request;
        const struct ctl_top_setup setup = {.socket_path = arguments->socket_path,
                                            .interval_ms =
                                                    arguments->interval_ms > 0 ? arguments->interval_ms : INTERVAL_MS,
                                            .pool = words->count > 1 ? words->list[1] : NULL};

        if (words->count > 2 || arguments->json || (setup.pool && setup.pool[0] == '-'))
                return fail_usage("expected: top [POOL] [-d INTERVAL]");
        return ctl_top_run(&setup);
}

static int run_healthcheck(const struct arguments *arguments)
{
        const struct words *words = &arguments->request;
        const char *pool = words->count > 1 ? words->list[1] : NULL;

        if (words->count > 2 || arguments->json || (pool && pool[0] == '-'))
                return fail_usage("expected: healthcheck [POOL]");
        return (int)ctl_health_run(arguments->socket_path, pool,
                                   arguments->patience_ms > 0 ? arguments->patience_ms : CTL_PATIENCE_MS);
}

static int run_metrics(const struct arguments *arguments)
{
        unsigned patience_ms = arguments->patience_ms > 0 ? arguments->patience_ms : CTL_PATIENCE_MS;

        if (arguments->json)
                return fail_usage("metrics prints no JSON; status does");
        return ctl_metrics_run(arguments->socket_path, &arguments->request, patience_ms);
}

static int run_logs(const struct arguments *arguments)
{
        _cleanup_(text_clear) struct text error = {0};
        struct ctl_logs_options options;

        if (arguments->json)
                return fail_usage("logs prints no JSON; journalctl -t preforkd -o json does");
        int r = ctl_logs_options_parse(&arguments->request.list[1], time(NULL), &options, &error);
        if (r == -EINVAL)
                return fail_usage(text_string(&error));
        if (r < 0) {
                fprintf(stderr, "preforkctl: %s\n", strerror(-r));
                return CTL_EXIT_FAILURE;
        }
        return (int)ctl_logs_run(&options);
}

static int run(struct arguments *arguments)
{
        const char *command = arguments->request.count > 0 ? arguments->request.list[0] : NULL;
        char message[128];

        if (arguments->wrong) {
                snprintf(message, sizeof(message), "%.64s: expected a value that can be used", arguments->wrong);
                return fail_usage(message);
        }
        if (arguments->action == ACTION_VERSION)
                return (int)ctl_output("preforkctl " PREFORKD_VERSION "\n", NULL);
        if (arguments->action == ACTION_HELP || (command && text_equal(command, "help")))
                return (int)ctl_output(help, NULL);
        if (!command)
                return fail_usage("expected a command");
        if (text_equal(command, "import"))
                return arguments->json ? fail_usage("import prints no JSON")
                                       : (int)ctl_import_run(&arguments->request.list[1]);
        if (text_equal(command, "top"))
                return run_top(arguments);
        if (arguments->watch)
                return run_watch(arguments);
        if (arguments->interval_ms > 0)
                return fail_usage("-d is for top and --watch");
        if (text_equal(command, "metrics"))
                return run_metrics(arguments);
        if (text_equal(command, "advise"))
                return ctl_advise_run(arguments->socket_path, &arguments->request, arguments->json,
                                      arguments->patience_ms > 0 ? arguments->patience_ms : CTL_PATIENCE_MS);
        if (text_equal(command, "logs"))
                return run_logs(arguments);
        if (text_equal(command, "healthcheck"))
                return run_healthcheck(arguments);
        return ask(arguments);
}

int main(int argc, char **argv)
{
        struct arguments arguments = {.socket_path = CONFIG_CONTROL_DEFAULT};

        (void)argc;
        int r = parse(argv, &arguments);
        int exit_code = r < 0 ? CTL_EXIT_FAILURE : run(&arguments);
        if (r < 0)
                fprintf(stderr, "preforkctl: %s\n", strerror(-r));
        words_clear(&arguments.request);
        return exit_code;
}
