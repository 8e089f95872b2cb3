/* Printing a configuration: canonical, complete, and read back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "logic/config/option_value.h"
#include "logic/config/print.h"
#include "logic/config/schema.h"
#include "unit/config_helpers.h"

static void assert_equal(const struct config *a, const struct config *b)
{
        assert_int_equal(a->pool_count, b->pool_count);
        for (int i = 0; i < MASTER_OPTION_COUNT; i++)
                assert_true(option_value_equal(&master_options[i], &a->master, &b->master));
        for (size_t p = 0; p < a->pool_count; p++) {
                assert_string_equal(a->pools[p]->name, b->pools[p]->name);
                for (int i = 0; i < POOL_OPTION_COUNT; i++)
                        if (!pool_option_equal(a->pools[p], b->pools[p], (enum pool_option)i))
                                fail_msg("%s differs", pool_options[i].name);
        }
}

static void assert_same_origins(const struct config *a, const struct config *b)
{
        for (size_t p = 0; p < a->pool_count; p++)
                for (int i = 0; i < POOL_OPTION_COUNT; i++) {
                        const struct origin *x = &a->pools[p]->origins[i], *y = &b->pools[p]->origins[i];
                        assert_int_equal(x->line, y->line);
                        assert_int_equal(!x->file, !y->file);
                        if (x->file)
                                assert_string_equal(x->file, y->file);
                }
}

/* Print, read back, compare; both ways of printing. */
static void check_comes_back(const struct config *config)
{
        _cleanup_(config_clear) struct config plain = {0}, canonical = {0};
        _cleanup_(text_clear) struct text text = {0}, text_again = {0}, with_origins = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_print(config, false, &text), 0);
        load_good(&plain, "-T", text_string(&text));
        assert_equal(config, &plain);
        assert_int_equal(config_print(&plain, false, &text_again), 0);
        assert_string_equal(text_string(&text), text_string(&text_again));

        assert_int_equal(config_print(config, true, &with_origins), 0);
        assert_int_equal(config_parse_canonical(&canonical, with_origins.bytes, with_origins.length, &problems), 0);
        assert_int_equal(config_finish(&canonical, &own_user, &problems), 0);
        assert_problems(&problems, "");
        assert_equal(config, &canonical);
        assert_same_origins(config, &canonical);
}

static void check_text_comes_back(const char *text)
{
        _cleanup_(config_clear) struct config config = {0};

        load_good(&config, "/etc/a \"b\"\\c.conf", text);
        check_comes_back(&config);
}

static void test_prints_every_option(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(text_clear) struct text text = {0};

        load_good(&config, "f", "[a]\nlisten = /x *:80\nhandler = cat\nhandler_type = listener\n");
        assert_int_equal(config_print(&config, false, &text), 0);
        assert_true(text_starts_with(text_string(&text),
                                     "[preforkd]\ncontrol = /run/preforkd/control.sock\ncontrol_group =\n"
                                     "drain_delay = 0\nlog_format = text\nlog_level = info\nlog_target = "
                                     "auto\nlog_time = auto\nmax_workers_total = 0\npartial_start = no\n"
                                     "shutdown_timeout = 30s\n\n[a]\n"
                                     "listen = /x [::]:80\nbacklog = 511\n"));
        for (int i = 0; i < POOL_OPTION_COUNT; i++) {
                char line[64];
                snprintf(line, sizeof(line), "\n%s =", pool_options[i].name);
                bool shown = !pool_options[i].not_built && pool_config_uses(config.pools[0], (enum pool_option)i);
                assert_int_equal(strstr(text_string(&text), line) != NULL, shown);
        }
        assert_null(strstr(text_string(&text), "#line"));
}

static void test_leaves_out_what_means_nothing(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(text_clear) struct text text = {0};

        load_good(&config, "f", "[a]\nlisten = 127.0.0.1:1\nhandler = cat\nscaling = static\n");
        assert_int_equal(config_print(&config, false, &text), 0);
        assert_null(strstr(text_string(&text), "socket_mode"));
        assert_null(strstr(text_string(&text), "ipv6_only"));
        assert_null(strstr(text_string(&text), "spare"));
        assert_null(strstr(text_string(&text), "accounting"));
        assert_non_null(strstr(text_string(&text), "tcp_nodelay"));
}

static void test_ordinary_files_come_back(void **state)
{
        (void)state;
        check_text_comes_back("");
        check_text_comes_back("[preforkd]\nlog_level = error\n");
        check_text_comes_back("[a]\nlisten = 127.0.0.1:1\nhandler = cat\n");
        check_text_comes_back("[a]\nlisten = 127.0.0.1:1\nhandler = cat\nscaling = static\nmax_workers = 3\n");
        check_text_comes_back("[a]\nlisten = 127.0.0.1:1\nhandler = cat\nscaling = ondemand\nmax_spare_workers = 2\n");
        check_text_comes_back("[a]\nlisten = 127.0.0.1:1\nhandler = cat\nmin_spare_workers = 3\n"
                              "[b]\nlisten = /x\nhandler = x ' ; # '\nsocket_mode = 0600\nuser = 1000\n");
        check_text_comes_back("[a]\nlisten = [::1]:1\nhandler = cat\nenvironment = A=1\n    B=2\n    'user=x'\n"
                              "limit_as = 1G:infinity\nlimit_nofile = 5\noom_score_adj = 0\nnice = -3\n"
                              "directory = '/my dir'\nroot_directory = /srv\nipv6_only = yes\n"
                              "[b]\nlisten = @b\nhandler = cat\nrequest_timeout = 1500ms\n"
                              "max_worker_memory = 1000001\n");
}

static void test_masked(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(text_clear) struct text text = {0};

        load_good(&config, "f",
                  "[a]\nlisten = 127.0.0.1:1\nhandler = cat s3cret\nenvironment = A=s3cret 'B= s3cret ' C=\n"
                  "[b]\nlisten = 127.0.0.1:2\nhandler = cat\n");
        assert_int_equal(config_print_overlaid(&config, &config, true, &text), 0);
        assert_non_null(strstr(text_string(&text),
                               "\n; Values of environment are shown to root and preforkd's own user "
                               "only:\nenvironment = A=*** B=*** C=***\n"));
        assert_non_null(strstr(text_string(&text), "\nenvironment =\n"));
        assert_non_null(strstr(text_string(&text), "\nhandler = cat s3cret\n")); /* ps(1) shows it, too */
        text_truncate(&text);
        assert_int_equal(config_print_overlaid(&config, &config, false, &text), 0);
        assert_non_null(strstr(text_string(&text), "\nenvironment = A=s3cret 'B= s3cret ' C=\n"));
        assert_null(strstr(text_string(&text), "\n; Values"));
}

static void test_options_without_effect_come_back(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0}, back = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text text = {0};
        static const char string[] = "[a]\nlisten = /x\nhandler = cat\ntcp_nodelay = yes\n";

        assert_int_equal(config_parse(&config, "f", string, strlen(string), &problems), 0);
        assert_int_equal(config_finish(&config, &own_user, &problems), 0);
        assert_int_equal(config_print(&config, false, &text), 0);
        assert_int_equal(config_parse(&back, "f", text.bytes, text.length, &problems), 0);
        assert_int_equal(config_finish(&back, &own_user, &problems), 0);
        assert_equal(&config, &back);
        assert_int_equal(problems.error_count, 0);
}

static void test_command_line_comes_back(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        assert_int_equal(config_parse_option(&config, "listen", "127.0.0.1:1", &problems), 0);
        assert_int_equal(config_parse_option(&config, "handler", "cat \"it's\"", &problems), 0);
        assert_int_equal(config_finish(&config, &own_user, &problems), 0);
        assert_problems(&problems, "");
        check_comes_back(&config);
}

static void test_resolved_accounts_print_as_numbers(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(text_clear) struct text text = {0};

        load_good(&config, "f", "[a]\nlisten = /x\nhandler = cat\nuser = www\nsocket_user = web\n");
        config.pools[0]->user.resolved = true;
        config.pools[0]->user.id = 1000;
        /* What the loader found out without a key in the file: no name, and still no key in the file. */
        config.pools[0]->group = (struct account){.resolved = true, .id = 1001};
        assert_int_equal(config_print_pool_value(config.pools[0], POOL_USER, &text), 0);
        assert_string_equal(text_string(&text), "1000");
        text_truncate(&text);
        assert_int_equal(config_print_pool_value(config.pools[0], POOL_SOCKET_USER, &text), 0);
        assert_string_equal(text_string(&text), "web");
        text_truncate(&text);

        _cleanup_(config_clear) struct config back = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        assert_int_equal(config_print(&config, true, &text), 0);
        assert_int_equal(config_parse_canonical(&back, text.bytes, text.length, &problems), 0);
        assert_int_equal(config_finish(&back, &own_user, &problems), 0);
        assert_problems(&problems, ""); /* group 1001 was not set by the user, so it breaks no rule */
        assert_equal(&config, &back);
}

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
        random_state = random_state * 1664525 + 1013904223;
        return (random_state >> 8) % limit;
}

/* A word from what needs care; sometimes long. */
static void append_word(struct text *value, const char *prefix)
{
        static const char *const pieces[] = {"a",  "B", "7", "=", ";",    " ;", "#",        " # ", "'", "\"", "\\", " ",
                                             "\t", "[", "]", "ü", "日本", "😀",  "user = x", "/",   ":", "$",  "%"};
        _cleanup_(text_clear) struct text word = {0};

        assert_int_equal(text_append(&word, prefix), 0);
        for (uint32_t i = random_below(random_below(6) == 0 ? 400 : 8); i > 0; i--)
                assert_int_equal(text_append(&word, pieces[random_below(ELEMENTS(pieces))]), 0);
        assert_int_equal(words_quote(value, text_string(&word)), 0);
        assert_int_equal(text_append(value, " "), 0);
}

static void append_random_value(struct text *value, const struct option *option)
{
        char prefix[32];

        switch (option->type) {
        case OPTION_BOOL:
                (void)text_append(value, random_below(2) ? "yes" : "no");
                break;
        case OPTION_NUMBER:
                (void)text_appendf(value, "%u", (unsigned)option->min + random_below(100));
                break;
        case OPTION_SIGNED:
                (void)text_appendf(value, "%d", (int)random_below(40) - 20);
                break;
        case OPTION_MODE:
                (void)text_appendf(value, "%o", random_below(0777));
                break;
        case OPTION_DURATION:
                (void)text_appendf(value, "%ums", 1 + random_below(1000000));
                break;
        case OPTION_SIZE:
                (void)text_appendf(value, "%uK", random_below(1000000));
                break;
        case OPTION_PERCENT:
                (void)text_appendf(value, "%u%%", 1 + random_below(100));
                break;
        case OPTION_PATH:
                append_word(value, "/");
                break;
        case OPTION_LINE_FORMAT:
                (void)text_appendf(value, "\"{client} {{ %u\"", random_below(100));
                break;
        case OPTION_NAME:
                append_word(value, "n");
                break;
        case OPTION_WORDS:
                append_word(value, "/");
                for (uint32_t i = random_below(20); i > 0; i--)
                        append_word(value, "");
                break;
        case OPTION_ENVIRONMENT:
                for (uint32_t i = random_below(20); i > 0; i--) {
                        snprintf(prefix, sizeof(prefix), "V%u=", i);
                        append_word(value, prefix);
                }
                break;
        case OPTION_VARIABLE_NAMES:
                for (uint32_t i = random_below(20); i > 0; i--)
                        (void)text_appendf(value, "V%u ", i);
                break;
        case OPTION_FILES:
                append_word(value, random_below(2) ? "-/" : "/");
                break;
        case OPTION_LIMIT:
                (void)text_appendf(value, "%u:%s", 3 + random_below(1000), random_below(2) ? "infinity" : "2000");
                break;
        case OPTION_LIMIT_SIZE:
                (void)text_appendf(value, "%uM", random_below(1000));
                break;
        default:
                break;
        }
}

static void test_random_configurations_come_back(void **state)
{
        (void)state;
        random_state = 20240117;
        for (int round = 0; round < 300; round++) {
                _cleanup_(config_clear) struct config config = {0};
                _cleanup_(problem_list_clear) struct problem_list problems = {0};
                char listen[64];
                snprintf(listen, sizeof(listen), "127.0.0.1:%d [::1]:%d /run/s%d '/run/a ;#b'", round + 1, round + 1,
                         round);
                assert_int_equal(config_parse_option(&config, "listen", listen, &problems), 0);
                for (int i = 0; i < POOL_OPTION_COUNT; i++) {
                        _cleanup_(text_clear) struct text value = {0};
                        bool chain = i >= POOL_SCALING && i <= POOL_MAX_WORKERS;
                        if (i == POOL_LISTEN || pool_options[i].not_built || chain || i == POOL_SNAPSHOT_AFTER ||
                            i == POOL_PASS_ENVIRONMENT || /* perhaps of no effect: a warning */
                            (i != POOL_HANDLER && random_below(3) == 0))
                                continue;
                        append_random_value(&value, &pool_options[i]);
                        if (value.length > 0)
                                assert_int_equal(config_parse_option(&config, pool_options[i].name, text_string(&value),
                                                                     &problems),
                                                 0);
                }
                assert_problems(&problems, "");
                assert_int_equal(config_finish(&config, &own_user, &problems), 0);
                if (problems.count > 0) /* delays that disagree, or of which one has no effect */
                        continue;
                check_comes_back(&config);
        }
}

static void test_long_addresses_come_back(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_append(&text, "[a]\nhandler = cat\nlisten = /first\n"), 0);
        for (int i = 0; i < 100; i++)
                assert_int_equal(text_appendf(&text, "    /run/%0100d [::1]:%d\n", i, 1000 + i), 0);
        check_text_comes_back(text_string(&text));
}

static void test_values_of_every_length_come_back(void **state)
{
        (void)state;
        static const int lengths[] = {1, 10, 197, 198, 199, 200, 201, 202, 203, 4096, 1 << 20};

        for (size_t i = 0; i < ELEMENTS(lengths); i++) {
                _cleanup_(text_clear) struct text text = {0};
                int n = lengths[i];
                assert_int_equal(text_appendf(&text,
                                              "[a]\nlisten = /s\nhandler = /%0*d 'x %0*d' \\\"%0*d ; c\n"
                                              "environment = A=%0*d 'B= # %0*d'\ndirectory = /%0*d\n",
                                              n, 1, n, 2, n, 3, n, 4, n, 5, n, 6),
                                 0);
                check_text_comes_back(text_string(&text));
        }
}

static void test_help_names_every_option(void **state)
{
        (void)state;
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(config_print_help(&text), 0);
        for (int i = 0; i < POOL_OPTION_COUNT; i++) {
                char line[64];
                snprintf(line, sizeof(line), "\n%s", pool_options[i].name);
                assert_int_equal(strstr(text_string(&text), line) != NULL, !pool_options[i].not_built);
        }
        assert_non_null(strstr(text_string(&text), "\nmax_workers = 64\n        maximum number of workers\n"
                                                   "        takes a whole number from 1 to 65000\n"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_prints_every_option),
                cmocka_unit_test(test_leaves_out_what_means_nothing),
                cmocka_unit_test(test_ordinary_files_come_back),
                cmocka_unit_test(test_masked),
                cmocka_unit_test(test_options_without_effect_come_back),
                cmocka_unit_test(test_command_line_comes_back),
                cmocka_unit_test(test_resolved_accounts_print_as_numbers),
                cmocka_unit_test(test_random_configurations_come_back),
                cmocka_unit_test(test_long_addresses_come_back),
                cmocka_unit_test(test_values_of_every_length_come_back),
                cmocka_unit_test(test_help_names_every_option),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
