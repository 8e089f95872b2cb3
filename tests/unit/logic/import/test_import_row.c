/* Nothing that a file says vanishes: it is carried over, or stands in a comment. */
#include "unit/logic/import/converted.h"

/* The result of the file with one thing more is not the same as without it. */
static void expect_trace(const char *format, const char *word, const char *without, const char *with)
{
        _cleanup_(text_clear) struct text text = {0}, nothing = {0};

        convert(format, without, false, &nothing);
        convert(format, with, false, &text);
        if (text_equal(text_string(&text), text_string(&nothing)))
                fail_msg("%s: %s leaves no trace in\n%s", format, word, with);
}

static void test_every_row_leaves_a_trace(void **state)
{
        static const struct {
                const char *format, *begin, *end, *accept;
        } cases[] = {
                {"xinetd", "service x\n{\n port = 1\n server = /bin/cat\n", "}\n", ""},
                {"xinetd", "service x\n{\n port = 1\n server = /bin/cat\n wait = yes\n", "}\n", ""},
                {"xinetd", "service echo\n{\n type = INTERNAL\n port = 1\n user = nobody\n", "}\n", ""},
                {"systemd",
                 "[Socket]\nListenStream=1\nAccept=yes\n[Service]\nExecStart=/bin/cat\nStandardInput=socket\n", "",
                 "no"},
                {"systemd", "[Socket]\nListenStream=1\n[Service]\nExecStart=/bin/cat\n", "", "yes"},
                {"php-fpm", "[x]\nlisten = 1\nuser = a\npm = dynamic\n", "", ""},
                {"php-fpm", "[x]\nlisten = 1\nuser = a\npm = static\npm.max_children = 3\n[global]\n", "", ""},
        };

        (void)state;
        for (size_t c = 0; c < ELEMENTS(cases); c++) {
                const struct import_format *format = import_format_find(cases[c].format);
                _cleanup_(text_clear) struct text bare = {0};
                assert_int_equal(text_appendf(&bare, "%s%s", cases[c].begin, cases[c].end), 0);
                for (size_t i = 0; i < *format->row_count; i++) {
                        const char *word = format->rows[i].word;
                        _cleanup_(text_clear) struct text file = {0};
                        bool is_pattern = word[strlen(word) - 1] == '*';
                        if (text_equal(word, "disabled")) /* it is about services that it names */
                                continue;
                        assert_int_equal(text_appendf(&file, "%s%.*s%s = %s\n%s", cases[c].begin,
                                                      (int)(strlen(word) - is_pattern), word, is_pattern ? "[X]" : "",
                                                      text_equal(word, "Accept") ? cases[c].accept : "7", cases[c].end),
                                         0);
                        expect_trace(cases[c].format, word, text_string(&bare), text_string(&file));
                }
        }
}

/* Values that say what is so anyway have their line, too. */
static void test_harmless_values_leave_a_trace(void **state)
{
        static const char service[] = "service x\n{\n port = 1\n server = /bin/cat\n";
        static const struct {
                const char *format, *begin, *more, *end;
        } cases[] = {
                {"xinetd", service, " per_source = UNLIMITED\n", "}\n"},
                {"xinetd", service, " groups = yes\n", "}\n"},
                {"xinetd", service, " flags = REUSE\n", "}\n"},
                {"xinetd", service, " flags = NOLIBWRAP\n", "}\n"},
                {"xinetd", service, " log_on_success =\n", "}\n"},
                {"xinetd", "service x\n{\n port = 1\n server = /bin/cat\n log_on_success = HOST\n",
                 " log_on_failure = HOST\n", "}\n"},
                {"systemd", "[Socket]\nListenStream=1\n[Service]\nExecStart=/bin/cat\n", "StandardError=journal\n", ""},
                {"systemd", "[Service]\nExecStart=/bin/cat\n[Socket]\nListenStream=1\n", "Backlog=4294967295\n", ""},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(text_clear) struct text bare = {0}, file = {0};
                assert_int_equal(text_appendf(&bare, "%s%s", cases[i].begin, cases[i].end), 0);
                assert_int_equal(text_appendf(&file, "%s%s%s", cases[i].begin, cases[i].more, cases[i].end), 0);
                expect_trace(cases[i].format, cases[i].more, text_string(&bare), text_string(&file));
        }
}

static void test_every_field_of_inetd_leaves_a_trace(void **state)
{
#define REST "a /bin/cat cat\n"
        static const struct {
                const char *word, *without, *with;
        } fields[] = {
                {"service", "99 stream tcp nowait " REST, "98 stream tcp nowait " REST},
                {"socket-type", "99 stream tcp nowait " REST, "99 dgram tcp nowait " REST},
                {"protocol", "99 stream tcp nowait " REST, "99 stream tcp4 nowait " REST},
                {"wait", "99 stream tcp nowait " REST, "99 stream tcp wait " REST},
                {"nowait", "99 stream tcp wait " REST, "99 stream tcp nowait " REST},
                {"max", "99 stream tcp nowait " REST, "99 stream tcp nowait.7 " REST},
                {"max", "99 stream tcp wait " REST, "99 stream tcp wait.7 " REST},
                {"max-child", "99 stream tcp nowait " REST, "99 stream tcp nowait/7 " REST},
                {"max-child", "99 stream tcp nowait " REST, "99 stream tcp nowait/0 " REST},
                {"max-child", "99 stream tcp wait " REST, "99 stream tcp wait/7 " REST},
                {"max-connections-per-ip-per-minute", "99 stream tcp nowait/7 " REST, "99 stream tcp nowait/7/8 " REST},
                {"max-child-per-ip", "99 stream tcp nowait/7/8 " REST, "99 stream tcp nowait/7/8/0 " REST},
                {"user", "99 stream tcp nowait " REST, "99 stream tcp nowait b /bin/cat cat\n"},
                {"group", "99 stream tcp nowait " REST, "99 stream tcp nowait a:b /bin/cat cat\n"},
                {"login-class", "99 stream tcp nowait " REST, "99 stream tcp nowait a/b /bin/cat cat\n"},
                {"server", "99 stream tcp nowait " REST, "99 stream tcp nowait a /bin/dog cat\n"},
                {"arguments", "99 stream tcp nowait " REST, "99 stream tcp nowait a /bin/cat cat -u\n"},
                {"internal", "echo stream tcp nowait " REST, "echo stream tcp nowait a internal\n"},
                {"ipsec", "#\n99 stream tcp nowait " REST, "#@ in\n99 stream tcp nowait " REST},
        };
        const struct import_format *format = import_format_find("inetd");

        (void)state;
        for (size_t i = 0; i < *format->row_count; i++) {
                bool found = false;
                for (size_t f = 0; f < ELEMENTS(fields); f++) {
                        if (!text_equal(fields[f].word, format->rows[i].word))
                                continue;
                        found = true;
                        expect_trace("inetd", fields[f].word, fields[f].without, fields[f].with);
                }
                if (!found)
                        fail_msg("nobody looks for %s", format->rows[i].word);
        }
}

static void test_every_option_of_tcpserver_leaves_a_trace(void **state)
{
        const struct import_format *format = import_format_find("tcpserver");

        (void)state;
        for (size_t i = 0; i < *format->row_count; i++) {
                _cleanup_(text_clear) struct text line = {0};
                const char *word = format->rows[i].word;
                if (word[1] != '\0') /* no option */
                        continue;
                assert_int_equal(text_appendf(&line, "-u 7 -%s%s 127.0.0.1 25 /bin/cat", word,
                                              strchr("cxbBugltI", word[0]) ? " 8" : ""),
                                 0);
                expect_trace("tcpserver", word, "-u 7 127.0.0.1 25 /bin/cat", text_string(&line));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_row_leaves_a_trace),
                cmocka_unit_test(test_harmless_values_leave_a_trace),
                cmocka_unit_test(test_every_field_of_inetd_leaves_a_trace),
                cmocka_unit_test(test_every_option_of_tcpserver_leaves_a_trace),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
