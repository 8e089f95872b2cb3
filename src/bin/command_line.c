#include "bin/command_line.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "logic/config/foreign.h"

const char command_line_help[] = "Usage: preforkd [-c FILE] [-t | -T]\n"
                                 "       preforkd --listen ADDRESS [--KEY=VALUE ...] -- HANDLER [ARGUMENT...]\n"
                                 "\n"
                                 "Keeps a pool of preforked workers in front of a handler program.\n"
                                 "\n"
                                 "  -c, --config FILE   read FILE and pools.d/*.conf beside it\n"
                                 "                      (default " CONFIG_FILE ")\n"
                                 "  -t, --test          check the configuration and exit\n"
                                 "  -T, --dump          print the effective configuration and exit\n"
                                 "      --listen ADDR   serve one pool from the command line: ADDR:PORT,\n"
                                 "                      [::]:PORT, *:PORT, /path.sock or @abstract; may be given\n"
                                 "                      more than once\n"
                                 "      --KEY=VALUE     any option of a pool, or of [preforkd]; see --help-config\n"
                                 "  -h, --help          print this and exit\n"
                                 "      --help-config   describe every option of the configuration and exit\n"
                                 "  -V, --version       print the version and exit\n"
                                 "\n"
                                 "Signals: HUP reload, TERM and INT stop gracefully, QUIT stop at once,\n"
                                 "USR1 report, USR2 upgrade in place, TTIN and TTOU raise and lower\n"
                                 "max_workers.\n"
                                 "Exit codes: 0, 1 failure, 2 usage, 3 nothing to serve, 78 bad configuration.\n"
                                 "See preforkd(8), preforkd.conf(5), preforkd-handler(7).\n";

struct parser {
        int argc;
        char **argv;
        int at;
        struct command_line line;
        struct text listen; /* the addresses given, joined as one value */
        bool command_chosen;
        bool has_directory;
        bool has_root; /* the handler is looked for below another root */
        struct text *problem;
};

/* Say what is wrong with `argument` (NULL: nothing in particular). */
static int fail(struct parser *parser, const char *argument, const char *what)
{
        int r = argument ? text_appendf(parser->problem, "%s: %s", argument, what) : text_append(parser->problem, what);

        return r < 0 ? r : -EINVAL;
}

static int add_option(struct parser *parser, const char *key, const char *value)
{
        int r = words_add(&parser->line.options, key);

        return r == 0 ? words_add(&parser->line.options, value) : r;
}

/* The value of `--name=VALUE` or `--name VALUE` (`-c VALUE`); NULL if it is missing. "--" is the end of the options and
 * no value, so that who forgot one is told so. */
static const char *take_value(struct parser *parser, const char *inline_value)
{
        if (inline_value)
                return inline_value;
        if (parser->at + 1 >= parser->argc || text_equal(parser->argv[parser->at + 1], "--"))
                return NULL;
        return parser->argv[++parser->at];
}

static int add_listen(struct parser *parser, const char *address)
{
        int r = parser->listen.length > 0 ? text_append(&parser->listen, " ") : 0;

        return r == 0 ? words_quote(&parser->listen, address) : r;
}

static int choose(struct parser *parser, enum command command)
{
        if (parser->command_chosen && parser->line.command != command)
                return fail(parser, parser->argv[parser->at],
                            "only one of -t, -T, --help, --help-config and --version can be given");
        parser->line.command = command;
        parser->command_chosen = true;
        return 0;
}

static const struct {
        const char *short_name, *long_name;
        enum command command;
} commands[] = {
        {"-t", "--test", COMMAND_TEST},       {"-T", "--dump", COMMAND_DUMP},
        {"-h", "--help", COMMAND_HELP},       {NULL, "--help-config", COMMAND_HELP_CONFIG},
        {"-V", "--version", COMMAND_VERSION},
};

/* Any other --key is an option of the configuration. */
static int parse_option(struct parser *parser, const char *argument, const char *inline_value)
{
        _cleanup_(freep) char *key = strndup(argument + 2, strcspn(argument + 2, "="));

        if (!key)
                return -ENOMEM;
        const char *value = take_value(parser, inline_value);
        if (!value)
                return fail(parser, argument, "expected a value: --key=value");
        if (text_equal(key, "config")) {
                parser->line.file = value;
                return 0;
        }
        if (text_equal(key, "listen"))
                return add_listen(parser, value);
        if (text_equal(key, "handler"))
                return fail(parser, argument, "the handler is what follows \"--\"");
        parser->has_root |= text_equal(key, "root-directory") || text_equal(key, "root_directory");
        parser->has_directory |= text_equal(key, "directory") || parser->has_root;
        return add_option(parser, key, value);
}

/* An option with one dash that we have not: perhaps tcpserver's. */
static int fail_unknown(struct parser *parser, const char *argument)
{
        _cleanup_(text_clear) struct text what = {0};
        const char letter[] = {argument[1], '\0'};
        const struct foreign_word *foreign = argument[1] != '\0' ? foreign_find(letter) : NULL;
        int r = text_append(&what, "unknown option");

        if (r == 0 && foreign)
                r = text_append(&what, "; ");
        if (r == 0 && foreign)
                r = foreign_describe(foreign, true, &what);
        return r < 0 ? r : fail(parser, argument, text_string(&what));
}

static int parse_argument(struct parser *parser)
{
        const char *argument = parser->argv[parser->at];

        for (size_t i = 0; i < ELEMENTS(commands); i++)
                if (text_equal(argument, commands[i].long_name) ||
                    (commands[i].short_name && text_equal(argument, commands[i].short_name)))
                        return choose(parser, commands[i].command);
        if (text_starts_with(argument, "-c")) {
                parser->line.file = take_value(parser, argument[2] != '\0' ? argument + 2 : NULL);
                return parser->line.file ? 0 : fail(parser, argument, "expected a file");
        }
        if (text_starts_with(argument, "--")) {
                const char *equals = strchr(argument, '=');
                return parse_option(parser, argument, equals ? equals + 1 : NULL);
        }
        if (argument[0] == '-')
                return fail_unknown(parser, argument);
        return fail(parser, argument, "unexpected argument; the handler goes after \"--\"");
}

/* The handler's program: `./h` is relative to where we are, as in a shell and for tcpserver. */
static int add_program(struct parser *parser, struct text *handler)
{
        const char *program = parser->argv[parser->at];
        bool is_relative = strchr(program, '/') && program[0] != '/' && !parser->has_root;
        _cleanup_(freep) char *directory = is_relative ? getcwd(NULL, 0) : NULL;
        _cleanup_(freep) char *whole = NULL;

        if (!directory || directory[0] != '/')
                return words_quote(handler, program);
        while (text_starts_with(program, "./"))
                program += 1 + strspn(program + 1, "/");
        if (asprintf(&whole, "%s/%s", text_equal(directory, "/") ? "" : directory, program) < 0)
                return -ENOMEM;
        return words_quote(handler, whole);
}

/* The handler as one value, quoted so that it is split into the same words again. */
static int add_handler(struct parser *parser)
{
        _cleanup_(text_clear) struct text handler = {0};
        int r = add_program(parser, &handler);

        for (parser->at++; parser->at < parser->argc && r == 0; parser->at++) {
                r = text_append(&handler, " ");
                if (r == 0)
                        r = words_quote(&handler, parser->argv[parser->at]);
        }
        return r == 0 ? add_option(parser, "handler", text_string(&handler)) : r;
}

/* The command-line form runs where it was started, as tcpserver does; a file's pools run in /. */
static int add_directory(struct parser *parser)
{
        _cleanup_(freep) char *directory = parser->has_directory ? NULL : getcwd(NULL, 0);

        return directory && directory[0] == '/' ? add_option(parser, "directory", directory) : 0;
}

static int finish_one_pool(struct parser *parser, bool has_handler)
{
        if (parser->line.file && parser->line.file[strspn(parser->line.file, "0123456789")] == '\0')
                return fail(parser, parser->line.file,
                            "-c names a configuration file; tcpserver's -c is --max-workers here");
        if (parser->line.file)
                return fail(parser, parser->line.file, "a file and a pool on the command line exclude each other");
        if (parser->listen.length == 0)
                return fail(parser, NULL, "--listen is missing: where to wait for connections");
        if (!has_handler)
                return fail(parser, NULL, "the handler is missing: give it after \"--\"");
        int r = add_option(parser, "listen", text_string(&parser->listen));
        if (r == 0)
                r = add_handler(parser);
        return r == 0 ? add_directory(parser) : r;
}

static int parse_take_over(struct parser *parser)
{
        int taken = take_over_parse(parser->argc - 1, &parser->argv[1], &parser->line.take_over);

        if (taken < 0)
                return fail(parser, parser->argv[1], "expected what a running preforkd gives");
        parser->at = 1 + taken;
        parser->line.arguments = &parser->argv[MIN_OF(parser->at, parser->argc)];
        return 0;
}

static int parse_all(struct parser *parser)
{
        bool separated = false;

        int r = parse_take_over(parser);
        if (r < 0)
                return r;
        for (; parser->at < parser->argc; parser->at++) {
                if (text_equal(parser->argv[parser->at], "--")) {
                        separated = true;
                        parser->at++;
                        break;
                }
                r = parse_argument(parser);
                if (r < 0)
                        return r;
        }
        enum command command = parser->line.command;
        if (command == COMMAND_HELP || command == COMMAND_HELP_CONFIG || command == COMMAND_VERSION)
                return 0;
        if (separated || parser->listen.length > 0 || parser->line.options.count > 0)
                return finish_one_pool(parser, separated && parser->at < parser->argc);
        if (!parser->line.file)
                parser->line.file = CONFIG_FILE;
        return 0;
}

int command_line_parse(int argc, char **argv, struct command_line *ret, struct text *problem)
{
        struct parser parser = {.argc = argc, .argv = argv, .problem = problem};

        int r = parse_all(&parser);
        text_clear(&parser.listen);
        if (r < 0) {
                command_line_clear(&parser.line);
                return r;
        }
        *ret = parser.line;
        return 0;
}

void command_line_clear(struct command_line *line)
{
        words_clear(&line->options);
}
