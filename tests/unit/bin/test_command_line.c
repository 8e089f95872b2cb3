#define CONFIG_FILE "/etc/preforkd/preforkd.conf"
/* The module belongs to the daemon's program, not to a library, so it is compiled in here. */
#include "bin/command_line.c" /* NOLINT(bugprone-suspicious-include): see above */

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MAX_ARGUMENTS 16

struct parsed {
        int r;
        struct command_line line;
        struct text problem;
};

/* Parse the arguments after the program's name, up to NULL. */
static struct parsed parse(const char *first, ...)
{
        static char name[] = "preforkd";
        char *argv[MAX_ARGUMENTS + 1] = {name};
        struct parsed parsed = {0};
        int argc = 1;
        va_list arguments;

        va_start(arguments, first);
        for (const char *argument = first; argument; argument = va_arg(arguments, const char *)) {
                assert_true(argc < MAX_ARGUMENTS);
                argv[argc++] = strdup(argument);
        }
        va_end(arguments);
        parsed.r = command_line_parse(argc, argv, &parsed.line, &parsed.problem);
        /* What the result points to is argv, which lives as long as a process; here as long as a test. */
        static char file[256];
        if (parsed.r == 0 && parsed.line.file) {
                snprintf(file, sizeof(file), "%s", parsed.line.file);
                parsed.line.file = file;
        }
        for (int i = 1; i < argc; i++)
                free(argv[i]);
        return parsed;
}

static void clear(struct parsed *parsed)
{
        if (parsed->r == 0)
                command_line_clear(&parsed->line);
        text_clear(&parsed->problem);
}

static void expect_file(struct parsed parsed, enum command command, const char *file)
{
        assert_int_equal(parsed.r, 0);
        assert_string_equal(text_string(&parsed.problem), "");
        assert_int_equal(parsed.line.command, command);
        assert_non_null(parsed.line.file);
        assert_string_equal(parsed.line.file, file);
        assert_int_equal(parsed.line.options.count, 0);
        clear(&parsed);
}

static void expect_command(struct parsed parsed, enum command command)
{
        assert_int_equal(parsed.r, 0);
        assert_int_equal(parsed.line.command, command);
        clear(&parsed);
}

static void expect_problem(struct parsed parsed, const char *problem)
{
        assert_int_equal(parsed.r, -EINVAL);
        assert_string_equal(text_string(&parsed.problem), problem);
        clear(&parsed);
}

/* The options, as key=value joined by "; ". */
static void expect_pool(struct parsed parsed, enum command command, const char *expected)
{
        _cleanup_(text_clear) struct text options = {0};

        assert_string_equal(text_string(&parsed.problem), "");
        assert_int_equal(parsed.r, 0);
        assert_int_equal(parsed.line.command, command);
        assert_null(parsed.line.file);
        for (size_t i = 0; i + 1 < parsed.line.options.count; i += 2)
                text_appendf(&options, "%s%s=%s", i > 0 ? "; " : "", parsed.line.options.list[i],
                             parsed.line.options.list[i + 1]);
        assert_int_equal(parsed.line.options.count % 2, 0);
        assert_string_equal(text_string(&options), expected);
        clear(&parsed);
}

static void test_files(void **state)
{
        (void)state;
        expect_file(parse(NULL), COMMAND_RUN, CONFIG_FILE);
        expect_file(parse("-c", "/x.conf", NULL), COMMAND_RUN, "/x.conf");
        expect_file(parse("-c/x.conf", NULL), COMMAND_RUN, "/x.conf");
        expect_file(parse("--config", "/x.conf", NULL), COMMAND_RUN, "/x.conf");
        expect_file(parse("--config=/x.conf", NULL), COMMAND_RUN, "/x.conf");
        expect_file(parse("-c", "/y.conf", "-c", "/x.conf", NULL), COMMAND_RUN, "/x.conf");
}

static void test_commands(void **state)
{
        (void)state;
        expect_file(parse("-t", NULL), COMMAND_TEST, CONFIG_FILE);
        expect_file(parse("--test", "-c", "/x.conf", NULL), COMMAND_TEST, "/x.conf");
        expect_file(parse("-c", "/x.conf", "-T", NULL), COMMAND_DUMP, "/x.conf");
        expect_file(parse("--dump", NULL), COMMAND_DUMP, CONFIG_FILE);
        expect_file(parse("-t", "--test", NULL), COMMAND_TEST, CONFIG_FILE); /* twice the same is no conflict */
        expect_command(parse("-h", NULL), COMMAND_HELP);
        expect_command(parse("--help", NULL), COMMAND_HELP);
        expect_command(parse("--help-config", NULL), COMMAND_HELP_CONFIG);
        expect_command(parse("-V", NULL), COMMAND_VERSION);
        expect_command(parse("--version", NULL), COMMAND_VERSION);
        /* Who asks for help on half a command line gets it. */
        expect_command(parse("--listen", "127.0.0.1:1", "--help", NULL), COMMAND_HELP);
        expect_command(parse("--max-workers=3", "-V", NULL), COMMAND_VERSION);
}

static void test_one_pool(void **state)
{
        (void)state;
        expect_pool(parse("--listen", "127.0.0.1:7007", "--directory=/", "--", "/bin/cat", NULL), COMMAND_RUN,
                    "directory=/; listen=127.0.0.1:7007; handler=/bin/cat");
        expect_pool(parse("--directory=/", "--listen=@x", "-t", "--", "cat", "-n", NULL), COMMAND_TEST,
                    "directory=/; listen=@x; handler=cat -n");
        expect_pool(parse("--listen=@x", "--directory", "/", "--listen", "[::]:80", "--user=nobody", "--max-workers",
                          "5", "-T", "--", "cat", NULL),
                    COMMAND_DUMP, "directory=/; user=nobody; max-workers=5; listen=@x [::]:80; handler=cat");
        /* The handler's own options, and another --, are the handler's. */
        expect_pool(parse("--listen=@x", "--directory=/", "--", "cat", "--listen=@y", "--", "-h", "", NULL),
                    COMMAND_RUN, "directory=/; listen=@x; handler=cat --listen=@y -- -h ''");
        expect_pool(parse("--listen=@x", "--environment=A=1 B=2", "--directory=/", "--", "cat", NULL), COMMAND_RUN,
                    "environment=A=1 B=2; directory=/; listen=@x; handler=cat");
        expect_pool(parse("--listen=@x", "--umask=", "--directory=/", "--", "cat", NULL), COMMAND_RUN,
                    "umask=; directory=/; listen=@x; handler=cat"); /* the configuration says what it thinks of it */
}

/* Whatever the arguments hold, the handler gets them back. */
static void test_words_survive(void **state)
{
        static const char *const words[] = {"a b", "it's", "\"q\"", "", "back\\slash", "$HOME", "*", "tab\there", "-x"};
        struct parsed parsed = parse("--listen=/tmp/a b.sock", "--directory=/", "--", "/bin/p q", "a b", "it's",
                                     "\"q\"", "", "back\\slash", "$HOME", "*", "tab\there", "-x", NULL);
        _cleanup_(words_clear) struct words listen = {0}, handler = {0};
        const char *listen_value = NULL, *handler_value = NULL;

        (void)state;
        assert_int_equal(parsed.r, 0);
        for (size_t i = 0; i < parsed.line.options.count; i += 2) {
                if (text_equal(parsed.line.options.list[i], "listen"))
                        listen_value = parsed.line.options.list[i + 1];
                if (text_equal(parsed.line.options.list[i], "handler"))
                        handler_value = parsed.line.options.list[i + 1];
        }
        assert_int_equal(words_split(listen_value, &listen), 0);
        assert_int_equal(listen.count, 1);
        assert_string_equal(listen.list[0], "/tmp/a b.sock");
        assert_int_equal(words_split(handler_value, &handler), 0);
        assert_int_equal(handler.count, 1 + ELEMENTS(words));
        assert_string_equal(handler.list[0], "/bin/p q");
        for (size_t i = 0; i < ELEMENTS(words); i++)
                assert_string_equal(handler.list[i + 1], words[i]);
        clear(&parsed);
}

static void test_runs_where_it_was_started(void **state)
{
        (void)state;
        assert_int_equal(chdir("/usr"), 0);
        expect_pool(parse("--listen=@x", "--", "cat", NULL), COMMAND_RUN, "listen=@x; handler=cat; directory=/usr");
        expect_pool(parse("--listen=@x", "--root-directory=/srv", "--", "cat", NULL), COMMAND_RUN,
                    "root-directory=/srv; listen=@x; handler=cat");
        expect_pool(parse("--listen=@x", "--root_directory=/srv", "--", "cat", NULL), COMMAND_RUN,
                    "root_directory=/srv; listen=@x; handler=cat");
}

/* A directory that is gone is no reason to fail: the pool runs in /. */
static void test_started_nowhere(void **state)
{
        char directory[] = "/tmp/preforkd-test-XXXXXX";

        (void)state;
        assert_non_null(mkdtemp(directory));
        assert_int_equal(chdir(directory), 0);
        assert_int_equal(rmdir(directory), 0);
        expect_pool(parse("--listen=@x", "--", "cat", NULL), COMMAND_RUN, "listen=@x; handler=cat");
        assert_int_equal(chdir("/"), 0);
}

static void test_mistakes(void **state)
{
        (void)state;
        expect_problem(parse("-y", NULL), "-y: unknown option");
        expect_problem(parse("-u", "7", NULL), "-u: unknown option; tcpserver's -u is --user here");
        expect_problem(parse("-c", "40", "--listen=127.0.0.1:80", "--", "/bin/cat", NULL),
                       "40: -c names a configuration file; tcpserver's -c is --max-workers here");
        expect_problem(parse("-tT", NULL), "-tT: unknown option");
        expect_problem(parse("-", NULL), "-: unknown option");
        expect_problem(parse("/bin/cat", NULL), "/bin/cat: unexpected argument; the handler goes after \"--\"");
        expect_problem(parse("", NULL), ": unexpected argument; the handler goes after \"--\"");
        expect_problem(parse("-c", NULL), "-c: expected a file");
        expect_problem(parse("--config", NULL), "--config: expected a value: --key=value");
        expect_problem(parse("--listen", NULL), "--listen: expected a value: --key=value");
        expect_problem(parse("--listen=@x", "--max-workers", NULL), "--max-workers: expected a value: --key=value");
        expect_problem(parse("--listen=@x", "--handler=cat", NULL),
                       "--handler=cat: the handler is what follows \"--\"");
        expect_problem(parse("-t", "-T", NULL),
                       "-T: only one of -t, -T, --help, --help-config and --version can be given");
        expect_problem(parse("--help", "-V", NULL),
                       "-V: only one of -t, -T, --help, --help-config and --version can be given");
        expect_problem(parse("--listen=@x", NULL), "the handler is missing: give it after \"--\"");
        expect_problem(parse("--listen=@x", "--", NULL), "the handler is missing: give it after \"--\"");
        expect_problem(parse("--", "cat", NULL), "--listen is missing: where to wait for connections");
        expect_problem(parse("--", NULL), "--listen is missing: where to wait for connections");
        expect_problem(parse("--max-workers=5", NULL), "--listen is missing: where to wait for connections");
        expect_problem(parse("-c", "/x.conf", "--listen=@x", "--", "cat", NULL),
                       "/x.conf: a file and a pool on the command line exclude each other");
        expect_problem(parse("-c", "/x.conf", "--max-workers=5", NULL),
                       "/x.conf: a file and a pool on the command line exclude each other");
}

/* A forgotten value does not swallow the end of the options. */
static void test_missing_value_before_the_handler(void **state)
{
        (void)state;
        expect_problem(parse("--listen", "--", "cat", NULL), "--listen: expected a value: --key=value");
        expect_problem(parse("--listen=@x", "--user", "--", "cat", NULL), "--user: expected a value: --key=value");
        expect_problem(parse("-c", "--", "cat", NULL), "-c: expected a file");
}

/* What a running preforkd puts before all others; anywhere else it is an option like any other. */
static void test_take_over(void **state)
{
        static char name[] = "preforkd", now[] = "--take-over=5", preflight[] = "--preflight=77", c[] = "-c",
                    file[] = "/x.conf";
        static const struct {
                char *option;
                bool is_preflight;
                int fd;
        } good[] = {{now, false, 5}, {preflight, true, 77}};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(good); i++) {
                char *argv[] = {name, good[i].option, c, file, NULL};
                struct command_line line = {0};
                _cleanup_(text_clear) struct text problem = {0};
                assert_int_equal(command_line_parse(4, argv, &line, &problem), 0);
                assert_true(line.take_over.wanted);
                assert_int_equal(line.take_over.is_preflight, good[i].is_preflight);
                assert_int_equal(line.take_over.fd, good[i].fd);
                assert_ptr_equal(line.arguments, &argv[2]);
                assert_int_equal(line.command, COMMAND_RUN);
                assert_string_equal(line.file, file);
                command_line_clear(&line);
        }
        char *argv[] = {name, c, file, NULL};
        struct command_line line = {0};
        _cleanup_(text_clear) struct text problem = {0};
        assert_int_equal(command_line_parse(3, argv, &line, &problem), 0);
        assert_false(line.take_over.wanted);
        assert_ptr_equal(line.arguments, &argv[1]);
        command_line_clear(&line);
        static const char *const bad[] = {"--take-over=2", "--take-over=x", "--take-over=4294967299"};
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                char expected[80];
                snprintf(expected, sizeof(expected), "%s: expected what a running preforkd gives", bad[i]);
                expect_problem(parse(bad[i], NULL), expected);
        }
        expect_problem(parse("-c", "/x.conf", "--take-over=5", NULL),
                       "/x.conf: a file and a pool on the command line exclude each other");
}

static void test_help_fits(void **state)
{
        (void)state;
        assert_non_null(strstr(command_line_help, CONFIG_FILE));
        for (size_t i = 0; i < ELEMENTS(commands); i++)
                assert_non_null(strstr(command_line_help, commands[i].long_name));
        for (const char *line = command_line_help; *line;) {
                size_t length = strcspn(line, "\n");
                assert_true(length <= 80);
                line += length + 1;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_files),
                cmocka_unit_test(test_commands),
                cmocka_unit_test(test_one_pool),
                cmocka_unit_test(test_words_survive),
                cmocka_unit_test(test_runs_where_it_was_started),
                cmocka_unit_test(test_started_nowhere),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_missing_value_before_the_handler),
                cmocka_unit_test(test_take_over),
                cmocka_unit_test(test_help_fits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
