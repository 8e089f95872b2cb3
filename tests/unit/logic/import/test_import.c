/* The importers: a configuration is made of a file, and is what preforkd takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "logic/config/config_options.h"
#include "logic/config/foreign.h"
#include "logic/config/parse.h"
#include "logic/config/schema.h"
#include "logic/import/import.h"

static const char services[] = "# comment\necho 7/tcp\necho 7/udp\ntftp 69/udp\nssh 22/tcp secure-shell # x\nbad\n";

static struct import_source source(const char *name, const char *bytes)
{
        return (struct import_source){.name = name, .bytes = bytes, .length = strlen(bytes)};
}

/* The configuration, which preforkd takes. */
static bool convert(const char *format, const char *file, bool wrapped, struct text *text)
{
        const struct import_source sources[] = {source("/etc/x", file)};
        const struct import_input input = {
                .sources = sources, .count = 1, .services = source("/etc/services", services), .wrapped = wrapped};
        const struct config_context context = {.is_root = true};
        struct problem_list problems = {0};
        struct config config = {0};
        bool undecided;

        assert_int_equal(import_convert(import_format_find(format), &input, text, &undecided), 0);
        assert_int_equal(config_parse(&config, "f", text_string(text), text->length, &problems), 0);
        assert_int_equal(config_finish(&config, &context, &problems), 0);
        if (problem_list_refuses(&problems))
                fail_msg("%s\n%s", problems.items[0].text, text_string(text));
        config_clear(&config);
        problem_list_clear(&problems);
        return undecided;
}

static bool is_built(const char *option)
{
        int index = pool_option_find(option);

        return index >= 0 && !pool_options[index].not_built;
}

static void expect(const struct text *text, const char *line)
{
        if (!strstr(text_string(text), line))
                fail_msg("not there: %s\n%s", line, text_string(text));
}

static void test_xinetd_service(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        bool undecided =
                convert("xinetd",
                        "defaults\n{\n instances = 20\n env = A=1\n log_type = SYSLOG\n}\n"
                        "service secure-shell\n{\n socket_type = stream\n wait = no\n user = nobody\n"
                        " server = /bin/cat\n server_args = -u \"a b\"\n env += B=2\n per_source = 3\n"
                        " rlimit_as = 64M\n rlimit_cpu = UNLIMITED\n nice = 5\n umask = 027\n flags = KEEPALIVE\n"
                        " bind = ::1\n}\n",
                        false, &text);
        assert_false(undecided);
        expect(&text, "\n[secure-shell]\nlisten = [::1]:22\ntcp_keepalive = yes\nhandler = /bin/cat -u 'a b'\n");
        expect(&text, "\nuser = nobody\n");
        expect(&text, "\numask = 027\n");
        expect(&text, "\nnice = 5\n");
        expect(&text, "\nenvironment = A=1 B=2\n");
        expect(&text, "\nlimit_as = 64M\n");
        expect(&text, "\nlimit_cpu = infinity\n");
        expect(&text, "\nmax_workers = 20\n");
        expect(&text, "\nwhen_full = refuse\n");
        expect(&text, "\nmax_connections_per_source = 3\n");
        expect(&text, "\n# log_type = SYSLOG: in [preforkd]");
}

static void test_xinetd_wait(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_false(convert(
                "xinetd", "service tftp\n{\n socket_type = dgram\n wait = yes\n instances = 5\n server = /bin/cat\n}\n",
                false, &text));
        expect(&text, "\nlisten = udp:0.0.0.0:69\nhandler_type = listener\nhandler = /bin/cat\nlisten_fd = 0\n"
                      "accounting = none\nuser = root\nscaling = ondemand\nmax_workers = 1\n");
}

static void test_xinetd_builtins(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_true(convert("xinetd",
                            "service echo\n{\n type = INTERNAL\n socket_type = stream\n wait = no\n}\n"
                            "service echo\n{\n type = INTERNAL\n socket_type = dgram\n wait = yes\n bind = 0.0.0.0\n}\n"
                            "service fwd\n{\n type = UNLISTED\n port = 99\n redirect = 127.0.0.1 22\n}\n"
                            "service servers\n{\n type = INTERNAL UNLISTED\n port = 98\n}\n",
                            false, &text));
        expect(&text, "\n[echo]\nlisten = 0.0.0.0:7\nhandler_type = builtin\nhandler = echo\nuser = nobody\n");
        expect(&text, "\n# [echo-2]\n");
        expect(&text, "\n# ! left out: listen: udp:0.0.0.0:7: that builtin answers datagrams");
        expect(&text, "\nhandler = redirect 127.0.0.1:22\n");
        expect(&text, "\n# ! left out: preforkd itself serves no servers\n");
}

/* What cannot be carried over stands there, whatever it is. */
static void test_nothing_is_dropped(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_true(convert("xinetd",
                            "rubbish\nservice x\n{\n port = 1\n server = /bin/cat\n max_load = 2\n surprise = a\\\n"
                            " type = RPC\n rpc_version = 2\n disable = no\n}\n"
                            "service y\n{\n port = 1\n server = /bin/cat\n nice = 99\n}\n"
                            "service z\n{\n disable = yes\n server = /bin/cat\n}\n",
                            false, &text));
        expect(&text, "# ! not understood: /etc/x:1: rubbish\n");
        expect(&text, "\n# max_load = 2: no limit closes a service");
        expect(&text, "\n# ! surprise = a\\: unknown here (/etc/x:7)");
        expect(&text, "\n# ! left out: type = RPC: such services are not served here\n");
        expect(&text, "\n# nice = 99: not carried over as nice = 99: ");
        expect(&text, "\n# it was disabled\n");
        expect(&text, "\n[y]\n");
}

static void test_lost_rules_close(void **state)
{
        static const char *const rules[] = {
                "only_from = example.com", "access_times = 8:00-9:00", "flags = IDONLY",     "no_access = @weird",
                "only_from = 300.1.1.1",   "only_from = 1.2.3.4/33",   "only_from = 1.2.{3", "flags = INTERCEPT"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(rules); i++) {
                _cleanup_(text_clear) struct text text = {0}, file = {0};
                assert_int_equal(text_appendf(&file, "service x\n{\n port = 1\n server = /bin/cat\n %s\n}\n", rules[i]),
                                 0);
                assert_true(convert("xinetd", text_string(&file), false, &text));
                expect(&text, is_built("deny") ? "\ndeny = 0.0.0.0/0 ::/0\n" : "\n# deny = 0.0.0.0/0 ::/0\n");
                assert_null(strstr(text_string(&text), is_built("deny") ? "\nallow" : "\n[x]"));
        }
}

static void test_libwrap(void **state)
{
        static const char file[] = "service x\n{\n port = 1\n server = /bin/cat\n}\n";
        static const char free_of_it[] = "service x\n{\n port = 1\n server = /bin/cat\n flags = NOLIBWRAP\n}\n";
        _cleanup_(text_clear) struct text closed = {0}, open = {0};
        struct import_source comments = source("hosts.deny", "# ALL: ALL\n\n"),
                             rule = source("hosts.deny", "#\nALL: ALL");

        (void)state;
        assert_true(convert("xinetd", file, true, &closed));
        assert_false(convert("xinetd", free_of_it, true, &open));
        assert_false(import_has_rules(&comments));
        assert_true(import_has_rules(&rule));
}

static void test_rules_are_carried_over(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        bool undecided =
                convert("xinetd",
                        "service x\n{\n port = 1\n server = /bin/cat\n only_from = 10.0.0.0 192.168.{1,2} 1.2.3.4\n"
                        " only_from += 172.16.0.0/12 2001:db8::/32 localhost\n no_access = 10.1.2.3\n}\n",
                        false, &text);
        assert_int_equal(undecided, !is_built("allow"));
        expect(&text, is_built("allow") ? "\nallow = 10.0.0.0/8 192.168.1.0/24 192.168.2.0/24 1.2.3.4 172.16.0.0/12 "
                                          "2001:db8::/32 127.0.0.1 ::1\n"
                                        : "10.0.0.0/8 192.168.1.0/24 192.168.2.0/24 1.2.3.4 172.16.0.0/12");
}

static void test_inetd(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_true(convert("inetd",
                            "#<off># ssh stream tcp nowait root /bin/cat cat\n"
                            "echo stream tcp nowait root internal\n"
                            "::1:\n"
                            "ssh stream tcp nowait nobody.nogroup /bin/cat cat -u\n\t'a b'\n"
                            "*:\n"
                            "tftp dgram udp wait root /usr/sbin/in.tftpd in.tftpd -s /srv\n"
                            "[::1],10.0.0.1:8022 stream tcp nowait/10/20/5 www:web/daemon /bin/cat other-name\n"
                            ":root:wheel:0600:/run/x.sock stream unix nowait root /bin/cat cat\n"
                            "99 stream tcp46 nowait.400 root /bin/cat cat\n"
                            "rstatd/1-3 dgram rpc/udp wait root /bin/cat cat\n"
                            "echo stream tcp6 maybe root internal\n",
                            false, &text));
        assert_null(strstr(text_string(&text), "off"));
        expect(&text, "\n[echo]\nlisten = 0.0.0.0:7\nhandler_type = builtin\nhandler = echo\nuser = nobody\n");
        expect(&text, "\n[ssh]\nlisten = [::1]:22\nhandler = /bin/cat -u 'a b'\nuser = nobody\ngroup = nogroup\n");
        expect(&text, "\nlisten = udp:0.0.0.0:69\nhandler_type = listener\nhandler = /usr/sbin/in.tftpd -s /srv\n"
                      "listen_fd = 0\naccounting = none\n");
        expect(&text, "\nlisten = [::1]:8022 10.0.0.1:8022\n");
        expect(&text, "\nmax_workers = 10\nmax_connections_per_source = 5\n");
        expect(&text, is_built("argv0") ? "\nargv0 = other-name\n" : "\n# not carried over as argv0 = other-name: ");
        expect(&text, "\n# login-class = daemon: ");
        expect(&text,
               is_built("rate_limit") ? "rate_limit = 400/m" : "\n# max = 400: not carried over as rate_limit = 400/m");
        expect(&text, "\nlisten = /run/x.sock\nsocket_user = root\nsocket_group = wheel\nsocket_mode = 0600\n");
        expect(&text, "\nlisten = [::]:99\n");
        expect(&text, "\n# [rstatd-1-3]\n");
        expect(&text, "# ! not understood: /etc/x:12: echo stream tcp6 maybe root internal\n");
}

/* tcpd asks libwrap itself, and knows what to execute by its name alone. */
static void test_inetd_rules(void **state)
{
        static const char tcpd[] = "ssh stream tcp nowait root /usr/sbin/tcpd /usr/sbin/sshd -i\n";
        static const char ipsec[] =
                "#@ in ipsec\n99 stream tcp nowait root /bin/cat cat\n#@\n98 stream tcp nowait root "
                "/bin/cat cat\n";
        _cleanup_(text_clear) struct text text = {0}, closed = {0}, policy = {0};

        (void)state;
        assert_int_equal(convert("inetd", tcpd, true, &text), !is_built("argv0"));
        expect(&text,
               is_built("argv0") ? "\nargv0 = /usr/sbin/sshd\n" : "\n# ! left out: it needs argv0 = /usr/sbin/sshd: ");
        assert_true(convert("inetd", "99 stream tcp nowait root /bin/cat cat\n", true, &closed));
        assert_true(convert("inetd", ipsec, false, &policy));
        expect(&policy, "\n# ! ipsec = in ipsec: closed: ");
        expect(&policy, "\n[98]\n");
}

/* A file cannot write lines of its own into the configuration. */
static void test_nothing_escapes(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        convert("xinetd",
                "service a\x01]\n{\n port = 1\n server = /bin/c\x02t\n env = A=\"\x1b[1m\"\n x\x7f = \xff\n}\n"
                "service preforkd\n{\n port = 2\n server = /bin/cat\n user = root;[y]\n}\n",
                false, &text);
        for (size_t i = 0; i < text.length; i++)
                assert_true(text.bytes[i] == '\n' || (unsigned char)text.bytes[i] >= ' ');
        expect(&text, "[preforkd-2]\n");
}

/* A row leads somewhere, and to where `foreign` leads people. */
static void test_rows(void **state)
{
        static const char *const to_come[] = {"rate_limit",
                                              "rate_limit_per_source",
                                              "allow",
                                              "deny",
                                              "argv0",
                                              "pass_environment",
                                              "environment_file",
                                              "limit_data",
                                              "limit_stack",
                                              "limit_fsize",
                                              "bind_to_device",
                                              "banner",
                                              "full_response",
                                              "connection_log",
                                              "request_slowlog_timeout",
                                              "queue_timeout"};

        (void)state;
        for (size_t f = 0; f < import_format_count; f++)
                for (size_t i = 0; i < *import_formats[f].row_count; i++) {
                        const struct import_row *row = &import_formats[f].rows[i];
                        bool known =
                                !row->ours || pool_option_find(row->ours) >= 0 || master_option_find(row->ours) >= 0;
                        for (size_t n = 0; n < ELEMENTS(to_come); n++)
                                known = known || text_equal(row->ours, to_come[n]);
                        if (!known)
                                fail_msg("%s: %s is no option", row->word, row->ours);
                        if (!row->ours && !row->advice)
                                fail_msg("%s leads nowhere", row->word);
                        for (size_t n = 0; n < foreign_word_count; n++)
                                if (text_equal(foreign_words[n].program, import_formats[f].name) &&
                                    text_equal(foreign_words[n].word, row->word) && foreign_words[n].ours &&
                                    row->ours && !text_equal(foreign_words[n].ours, row->ours) && is_built(row->ours))
                                        fail_msg("%s is %s, and elsewhere %s", row->word, row->ours,
                                                 foreign_words[n].ours);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_xinetd_service),
                cmocka_unit_test(test_xinetd_wait),
                cmocka_unit_test(test_xinetd_builtins),
                cmocka_unit_test(test_nothing_is_dropped),
                cmocka_unit_test(test_lost_rules_close),
                cmocka_unit_test(test_libwrap),
                cmocka_unit_test(test_rules_are_carried_over),
                cmocka_unit_test(test_inetd),
                cmocka_unit_test(test_inetd_rules),
                cmocka_unit_test(test_nothing_escapes),
                cmocka_unit_test(test_rows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
