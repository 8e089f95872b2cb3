/* Completing a configuration: defaults, fitted numbers, and every rule between keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "logic/config/config_options.h"
#include "unit/config_helpers.h"

#define BASICS "[a]\nlisten = 127.0.0.1:7\nhandler = cat\n"

static const struct config_context root = {.is_root = true};

static void load(struct config *config, const struct config_context *context, const char *text,
                 struct problem_list *problems)
{
        assert_int_equal(config_parse(config, "f", text, strlen(text), problems), 0);
        assert_int_equal(config_finish(config, context, problems), 0);
}

static void check_as(const struct config_context *context, const char *text, const char *expected)
{
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        load(&config, context, text, &problems);
        assert_problems(&problems, expected);
}

static void check(const char *text, const char *expected)
{
        check_as(&own_user, text, expected);
}

/* min, start, max_spare, max_workers after fitting. */
static void check_numbers(const char *keys, uint64_t min, uint64_t start, uint64_t max_spare, uint64_t max_workers)
{
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(text_clear) struct text text = {0};

        assert_int_equal(text_appendf(&text, BASICS "%s", keys), 0);
        load_good(&config, "f", text_string(&text));
        const struct pool_config *pool = config.pools[0];
        assert_int_equal(pool->min_spare_workers, min);
        assert_int_equal(pool->start_workers, start);
        assert_int_equal(pool->max_spare_workers, max_spare);
        assert_int_equal(pool->max_workers, max_workers);
}

static void test_the_connections_variables(void **state)
{
        (void)state;
        check(BASICS "environment = A=1 REMOTE_ADDR=2 REMOTE_ADDRESS=3\n",
              "f:4: environment: REMOTE_ADDR is set by preforkd for every connection; expected another name");
        check(BASICS "environment = NOTIFY_SOCKET=/x proto=TCP\n", "");
}

static void test_unset_numbers_are_fitted(void **state)
{
        (void)state;
        check_numbers("", 1, 4, 8, 64);
        check_numbers("max_workers = 4\n", 1, 2, 4, 4);
        check_numbers("max_workers = 1\n", 1, 1, 1, 1);
        check_numbers("max_workers = 1000\n", 1, 4, 8, 1000);
        check_numbers("min_spare_workers = 10\n", 10, 10, 10, 64);
        check_numbers("min_spare_workers = 100\n", 100, 100, 100, 100);
        check_numbers("min_spare_workers = 0\n", 0, 4, 8, 64);
        check_numbers("max_spare_workers = 20\n", 1, 10, 20, 64);
        check_numbers("max_spare_workers = 100\n", 1, 50, 100, 100);
        check_numbers("max_spare_workers = 0\n", 0, 0, 0, 64);
        check_numbers("start_workers = 30\n", 1, 30, 30, 64);
        check_numbers("start_workers = 0\n", 0, 0, 8, 64);
        check_numbers("start_workers = 100\n", 1, 100, 100, 100);
        check_numbers("min_spare_workers = 3\nmax_workers = 5\n", 3, 4, 5, 5);
        check_numbers("min_spare_workers = 2\nstart_workers = 3\nmax_spare_workers = 4\nmax_workers = 5\n", 2, 3, 4, 5);
        check_numbers("min_spare_workers = 5\nstart_workers = 5\nmax_spare_workers = 5\nmax_workers = 5\n", 5, 5, 5, 5);
}

static void test_set_numbers_that_disagree(void **state)
{
        (void)state;
        check(BASICS "min_spare_workers = 9\nmax_spare_workers = 4\n",
              "f:4: min_spare_workers: 9 is more than max_spare_workers, which is 4 at f:5");
        check(BASICS "max_workers = 4\n\n\nmin_spare_workers = 9\n",
              "f:7: min_spare_workers: 9 is more than max_workers, which is 4 at f:4");
        check(BASICS "min_spare_workers = 5\nstart_workers = 4\nmax_spare_workers = 3\nmax_workers = 2\n",
              "f:4: min_spare_workers: 5 is more than start_workers, which is 4 at f:5\n"
              "f:5: start_workers: 4 is more than max_spare_workers, which is 3 at f:6\n"
              "f:6: max_spare_workers: 3 is more than max_workers, which is 2 at f:7");
        check(BASICS "start_workers = 9\nmax_spare_workers = 4\nmin_spare_workers = 1\n",
              "f:4: start_workers: 9 is more than max_spare_workers, which is 4 at f:5");
}

static void test_ondemand(void **state)
{
        (void)state;
        check_numbers("scaling = ondemand\n", 0, 0, 0, 64);
        check_numbers("scaling = ondemand\nmax_spare_workers = 5\nmax_workers = 6\n", 0, 0, 5, 6);
        check_numbers("scaling = ondemand\nmin_spare_workers = 0\nstart_workers = 0\n", 0, 0, 0, 64);
        check(BASICS "scaling = ondemand\nmin_spare_workers = 2\nstart_workers = 3\n",
              "f:5: min_spare_workers: scaling is ondemand, which starts no worker before a connection waits; expected "
              "0, or another scaling\n"
              "f:6: start_workers: scaling is ondemand, which starts no worker before a connection waits; expected 0, "
              "or another scaling");
        check(BASICS "scaling = ondemand\nmax_spare_workers = 9\nmax_workers = 4\n",
              "f:5: max_spare_workers: 9 is more than max_workers, which is 4 at f:6");
}

/* What was thresholds are bounds, and without them nothing is bounded but by max_workers. */
static void test_adaptive(void **state)
{
        (void)state;
        check_numbers("scaling = adaptive\n", 0, 0, 64, 64);
        check_numbers("scaling = adaptive\nmin_spare_workers = 2\nmax_workers = 100\n", 2, 2, 100, 100);
        check_numbers("scaling = adaptive\nmax_spare_workers = 5\nstart_workers = 3\n", 0, 3, 5, 64);
        check(BASICS "scaling = adaptive\nhandler_type = listener\naccounting = none\n",
              "f:4: scaling: adaptive goes by what workers report, and with accounting = none they report nothing; "
              "expected "
              "another scaling");
}

static void test_static(void **state)
{
        (void)state;
        check_numbers("scaling = static\n", 64, 64, 64, 64);
        check_numbers("scaling = static\nmax_workers = 3\n", 3, 3, 3, 3);
        check(BASICS "scaling = static\nmin_spare_workers = 2\nspare_timeout = 5s\ngrowth_pressure_limit = 60%\n",
              "f:5: min_spare_workers: scaling is static, which always runs max_workers; remove this key\n"
              "warning: f:6: spare_timeout: no effect: scaling is static\n"
              "warning: f:7: growth_pressure_limit: no effect: scaling is static");
}

static void test_users_of_unix_sockets(void **state)
{
        (void)state;
        check(BASICS "allow = uid:0 unix\ndeny = gid:0\n",
              "warning: f:4: allow: nobody may connect: uid:, gid: and unix name clients of UNIX sockets, and the pool "
              "has none\n"
              "warning: f:5: deny: no effect: uid:, gid: and unix name clients of UNIX sockets, and the pool has none");
        check(BASICS "allow = uid:0 192.0.2.0/24\n", "");
        check("[a]\nlisten = 127.0.0.1:7 /run/a\nhandler = cat\nallow = uid:0\ndeny = unix\n", "");
        check("[a]\nlisten = systemd:a\nhandler = cat\nallow = uid:0\n", "");
}

static void test_delays(void **state)
{
        (void)state;
        check(BASICS "request_timeout = 5s\nrequest_slowlog_timeout = 5s\n",
              "warning: f:5: request_slowlog_timeout: no effect: request_timeout ends a request before; expected a "
              "shorter time");
        _cleanup_(config_clear) struct config a = {0}, b = {0};

        load_good(&a, "f", BASICS "restart_delay_min = 1m\n");
        assert_int_equal(a.pools[0]->restart_delay_max_ms, 60000);
        load_good(&b, "f", BASICS "restart_delay_max = 50ms\n");
        assert_int_equal(b.pools[0]->restart_delay_min_ms, 50);
        check(BASICS "restart_delay_max = 1s\nrestart_delay_min = 1500ms\n",
              "f:5: restart_delay_min: 1500ms is more than restart_delay_max, which is 1s at f:4");
}

static void test_a_pool_must_fit_the_scoreboard(void **state)
{
        (void)state;
        check(BASICS "max_workers = 65000\n",
              "f:4: max_workers: 65000 workers, with those that reload_surge (25%), max_recycling and "
              "max_detached_workers add, are too many; expected at most 65535 in all");
        check(BASICS "max_workers = 60000\nreload_surge = 1%\n", "");
        check(BASICS "max_workers = 60000\nreload_surge = 1%\nmax_detached_workers = 10000\n", "");
        check(BASICS "max_workers = 60000\nreload_surge = 1%\nmax_detached_workers = 10000\ndetach_after = 1s\n",
              "f:4: max_workers: 60000 workers, with those that reload_surge (1%), max_recycling and "
              "max_detached_workers add, are too many; expected at most 65535 in all");
}

static void test_the_control_socket(void **state)
{
        _cleanup_(config_clear) struct config none = {0}, usual = {0};
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        load_good(&none, "f", "[preforkd]\ncontrol =\n" BASICS);
        assert_null(none.master.control);
        load_good(&usual, "f", BASICS);
        assert_string_equal(usual.master.control, "/run/preforkd/control.sock");
        check("[preforkd]\ncontrol = /x\ncontrol_group = 7\n[a]\nlisten = /y /x\nhandler = cat\n",
              "f:5: listen: /x is the control socket");
        check("[preforkd]\ncontrol_group = 7\ncontrol =\n" BASICS,
              "warning: f:2: control_group: no effect: there is no control socket");
        check("[preforkd]\ncontrol = run/x\n" BASICS,
              "f:2: control: \"run/x\" is not an absolute path; expected an absolute path");
        for (int i = 0; i < 108; i++)
                assert_int_equal(text_append(&text, i == 0 ? "[preforkd]\ncontrol = /" : "x"), 0);
        assert_int_equal(text_append(&text, "\n" BASICS), 0);
        check(text_string(&text), "f:2: control: not a path that a socket can have; expected at most 107 bytes");
}

static void test_programs_that_accept_themselves(void **state)
{
        (void)state;
        check(BASICS "handler_type = listener\n", "");
        check(BASICS "handler_type = listener\nlisten_fd = 0\naccounting = api\n", "");
        check(BASICS "handler_type = listener\naccounting = preload\nretire_signal = exit\n", "");
        check(BASICS "handler_type = listener\naccounting = none\nretire_signal = QUIT\n", "");
        check(BASICS "handler_type = listener\naccounting = none\nretire_signal = exit\n",
              "f:6: retire_signal: needs accounting = preload; expected a signal");
        check(BASICS "handler_type = listener\nretire_signal = QUIT\n",
              "f:5: retire_signal: with accounting = preload; expected TERM, return or exit");
        check(BASICS "handler_type = listener\naccounting = none\nmax_requests = 5\n",
              "warning: f:6: max_requests: no effect: with accounting = none nobody knows when the handler is busy");
        check(BASICS "handler_type = listener\naccounting = api\nretire_signal = exit\n",
              "warning: f:6: retire_signal: no effect: with accounting = api the program ends itself");
        check(BASICS "listen_fd = 0\naccounting = api\n",
              "warning: f:4: listen_fd: no effect: only a handler of the type listener accepts itself\n"
              "warning: f:5: accounting: no effect: only a handler of the type listener accepts itself");
        check("[a]\nlisten = *:7 *:8\nhandler = cat\nhandler_type = listener\nlisten_fd = 0\nstderr = socket\n",
              "f:5: listen_fd: 0 is one descriptor, and the pool listens on 2 addresses; expected one address, or 3\n"
              "f:6: stderr: a handler of the type listener has no connection when it starts; expected log, inherit or "
              "null");
}

static void test_datagrams(void **state)
{
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct config_context context = {0};

        (void)state;
        load(&config, &context, "[a]\nlisten = udp:*:69\nhandler = cat\nhandler_type = listener\n", &problems);
        assert_problems(&problems, "");
        assert_int_equal(config.pools[0]->accounting, ACCOUNTING_NONE);
        check("[a]\nlisten = udp:*:69\nhandler = cat\n",
              "f:2: listen: udp:[::]:69: a program that gets a connection on stdin and stdout cannot serve datagrams; "
              "expected handler_type = listener (with listen_fd = 0 for what inetd calls wait), module or builtin");
        check("[a]\nlisten = unixgram:/x\nhandler = cat\nhandler_type = listener\naccounting = preload\n",
              "f:2: listen: unixgram:/x: who accepts nothing cannot be seen accepting; expected accounting = none");
        check("[a]\nlisten = udp:127.0.0.1:7 unixgram:@echo 127.0.0.1:7 udp:[::1]:7\nhandler_type = builtin\n"
              "handler = echo\n",
              "");
        check("[a]\nlisten = udp:*:9\nhandler_type = builtin\nhandler = discard\n", "");
        check("[a]\nlisten = udp:*:7 udp:192.0.2.1:7\nhandler_type = builtin\nhandler = echo\nipv6_only = yes\n",
              "f:2: listen: udp:[::]:7: that builtin answers datagrams whose sender can be forged, and would flood "
              "strangers; expected a loopback address\n"
              "f:2: listen: udp:192.0.2.1:7: that builtin answers datagrams whose sender can be forged, and would "
              "flood "
              "strangers; expected a loopback address");
        check("[a]\nlisten = unixgram:/x\nhandler_type = builtin\nhandler = redirect /y\nwhen_full = refuse\n",
              "f:2: listen: unixgram:/x: that builtin serves connections only\n"
              "f:5: when_full: a datagram cannot be refused, only left waiting; expected queue");
        check("[a]\nlisten = /x\nhandler_type = builtin\nhandler = redirect udp:127.0.0.1:1\n",
              "f:4: handler: \"udp:127.0.0.1:1\" is no target of redirect; expected ADDRESS:PORT (numbers, or "
              "localhost), "
              "[IPV6-ADDRESS]:PORT, /PATH or @NAME");
        check("[a]\nlisten = udp:127.0.0.1:7\nhandler_type = module\nhandler = /m.so\ntcp_nodelay = no\nbacklog = 5\n",
              "warning: f:5: tcp_nodelay: no effect: the pool listens on no TCP address\n"
              "warning: f:6: backlog: no effect: the pool listens on nothing but addresses for datagrams");
}

static void test_required_keys(void **state)
{
        (void)state;
        check("\n[a]\n[b]\nlisten = /b\n[c]\nhandler = cat\n",
              "f:2: pool \"a\" has no listen: no address to accept connections on\n"
              "f:2: pool \"a\" has no handler: no program to serve connections\n"
              "f:3: pool \"b\" has no handler: no program to serve connections\n"
              "f:5: pool \"c\" has no listen: no address to accept connections on");
        /* Set, but to something that was refused: one problem is enough. */
        check("[a]\nlisten = nowhere:80\nhandler = 'cat\n",
              "f:3: the quote ' is not closed on this line\n"
              "f:2: listen: \"nowhere:80\" is not an address (host names are not looked up); expected ADDRESS:PORT, "
              "[IPV6-ADDRESS]:PORT, *:PORT, /path/of/socket, @abstract-name, udp:ADDRESS:PORT, "
              "unixgram:/path/of/socket or systemd:NAME");
}

static void test_refused_values_do_not_count_as_set(void **state)
{
        (void)state;
        check(BASICS "max_workers = x\nmin_spare_workers = 100\n",
              "f:4: max_workers: \"x\" is not a number; expected a whole number from 1 to 65000");
        check(BASICS "scaling = statik\nmin_spare_workers = 100\n",
              "f:4: scaling: \"statik\" is not a known word; expected dynamic, static, ondemand or adaptive");
}

static void test_no_pool_is_no_problem(void **state)
{
        (void)state;
        check("", "");
        check("[preforkd]\nlog_level = info\n", "");
}

static void test_addresses_have_one_owner(void **state)
{
        (void)state;
        check("[a]\nlisten = 127.0.0.1:80 /x\nhandler = cat\n[b]\nlisten = /y localhost:80\nhandler = cat\n",
              "f:5: listen: 127.0.0.1:80 already belongs to pool \"a\" (f:2)");
        check("[a]\nlisten = /x @y /x\nhandler = cat\n", "f:2: listen: /x is listed twice");
        check("[a]\nlisten = *:80 [::]:80\nhandler = cat\n", "f:2: listen: [::]:80 is listed twice");
        check("[a]\nlisten = systemd:a systemd:b\nhandler = cat\n", "");
        check("[a]\nlisten = systemd:a systemd:a\nhandler = cat\n", "f:2: listen: systemd:a is listed twice");
}

static void test_addresses_that_include_each_other(void **state)
{
        (void)state;
        check("[a]\nlisten = 127.0.0.1:80 *:80\nhandler = cat\n",
              "f:2: listen: 127.0.0.1:80 and [::]:80 exclude each other: one includes the other");
        check("[a]\nlisten = 0.0.0.0:80\nhandler = cat\n[b]\nlisten = [::]:80\nhandler = cat\n",
              "f:5: listen: [::]:80 excludes 0.0.0.0:80 of pool \"a\" (f:2): one includes the other");
        check("[a]\nlisten = 0.0.0.0:80\nhandler = cat\n[b]\nlisten = [::]:80\nhandler = cat\nipv6_only = yes\n", "");
        check("[a]\nlisten = 127.0.0.1:80 127.0.0.2:80 [::1]:80 0.0.0.0:81\nhandler = cat\n", "");
        check("[a]\nlisten = [::1]:80 [::]:80\nipv6_only = yes\nhandler = cat\n",
              "f:2: listen: [::1]:80 and [::]:80 exclude each other: one includes the other");
}

static void test_link_local_addresses_name_their_interface(void **state)
{
        (void)state;
        check("[a]\nlisten = [fe80::1]:80\nhandler = cat\n",
              "f:2: listen: [fe80::1]:80 is a link-local address, which needs its interface; "
              "expected [ADDRESS%INTERFACE]:PORT");
        check("[a]\nlisten = [fe80::1%lo]:80\nhandler = cat\n", "");
        check("[a]\nlisten = 127.0.0.1:80 127.0.0.1:81 127.0.0.2:80 [::1]:80 /x @x\nhandler = cat\n", "");
}

static void test_root_must_say_who_serves(void **state)
{
        (void)state;
        check_as(&root, BASICS,
                 "f:1: pool \"a\" has no user, and preforkd runs as root; write user = root to run "
                 "its workers as root");
        check_as(&root, BASICS "user =\n",
                 "f:1: pool \"a\" has no user, and preforkd runs as root; write user = root "
                 "to run its workers as root");
        check_as(&root, BASICS "user = root\n", "");
        check_as(&root, BASICS "user = 33\ngroup = 33\nsupplementary_groups = 7\n", "");
        check_as(&root, BASICS "user = a:b\n", "f:4: user: \"a:b\" is not an account; expected a name or a number");
}

static void test_others_serve_as_themselves(void **state)
{
        (void)state;
        check(BASICS, "");
        check(BASICS "user = 1000\ngroup = 1000\n", "");
        check(BASICS "user = somebody\n", ""); /* not resolved: the loader does that before */
        check(BASICS "user = 33\ngroup = 34\nsupplementary_groups = 35\n",
              "f:4: user: only root can run workers as 33; expected preforkd's own id, 1000, or no such key\n"
              "f:5: group: only root can run workers as 34; expected preforkd's own id, 1000, or no such key\n"
              "f:6: supplementary_groups: only root can set the groups of workers");
}

static void test_what_has_no_effect_is_told(void **state)
{
        (void)state;
        check(BASICS "socket_user = 1\nsocket_group = 1\nsocket_mode = 0600\nipv6_only = yes\ntcp_nodelay = yes\n",
              "warning: f:4: socket_user: no effect: the pool listens on no UNIX socket with a path\n"
              "warning: f:5: socket_group: no effect: the pool listens on no UNIX socket with a path\n"
              "warning: f:6: socket_mode: no effect: the pool listens on no UNIX socket with a path\n"
              "warning: f:7: ipv6_only: no effect: the pool listens on no IPv6 address");
        check("[a]\nlisten = /x\nhandler = cat\nsocket_mode = 0600\ntcp_keepalive = yes\ndefer_accept = yes\n"
              "free_bind = yes\n",
              "warning: f:7: free_bind: no effect: the pool listens on no TCP address\n"
              "warning: f:5: tcp_keepalive: no effect: the pool listens on no TCP address\n"
              "warning: f:6: defer_accept: no effect: the pool listens on no TCP address");
}

static void test_privileged_helpers_are_warned_about(void **state)
{
        (void)state;
        check("[a]\nlisten = /x\nhandler = /usr/sbin/sendmail -bs\n",
              "warning: f:3: handler: sendmail needs privileges that no_new_privileges = yes withholds; set it to no "
              "if the handler fails");
        check("[a]\nlisten = /x\nhandler = sudo x\nno_new_privileges = no\n", "");
        check("[a]\nlisten = /x\nhandler = /usr/bin/sudoku\n", "");
}

static void test_auto(void **state)
{
        (void)state;
        check("[a]\nlisten = /x\nhandler = cat\nstart_method = auto\ncopy = auto\nrollback_check = strict\nfast_exit = "
              "python\n",
              "");
        check("[a]\nlisten = /x\nhandler = cat\nhandler_type = listener\nstart_method = auto\n", "");
        check("[a]\nlisten = /x\nhandler = cat\nstart_method = auto\ncopy = auto\nno_new_privileges = no\n", "");
        check("[a]\nlisten = /x\nhandler = cat\nstart_method = auto\ncopy = rollback\nno_new_privileges = no\n",
              "f:5: copy: rollback needs no_new_privileges = yes; expected fork");
        check("[a]\nlisten = /x\nhandler = cat\ncopy = auto\n",
              "warning: f:4: copy: no effect: only a handler that is loaded once is copied, see start_method");
        check("[a]\nlisten = /x\nhandler = cat\nstart_method = forkserver\nrollback_check = strict\n",
              "warning: f:5: rollback_check: no effect without copy = rollback");
        check("[a]\nlisten = /a\nhandler_type = module\nhandler = /m.so\nstart_method = auto\n",
              "warning: f:5: start_method: no effect: the handler is no program");
}

static void test_handlers_that_are_no_programs(void **state)
{
        (void)state;
        check("[a]\nlisten = /a\nhandler_type = module\nhandler = /m.so x\nstart_method = exec\n",
              "warning: f:5: start_method: no effect: the handler is no program");
        check("[a]\nlisten = /a\nhandler_type = module\nhandler = m.so\nlimit_cpu = 1\nlimit_nofile = 64\nstderr = "
              "socket\n",
              "f:4: handler: expected the absolute path of a module (handler_type = module), and its arguments\n"
              "f:7: stderr: the handler is in the worker, whose stderr is no client's; expected log, inherit or null\n"
              "f:5: limit_cpu: it would end a worker that has served many connections; use request_timeout instead, or "
              "max_requests\n"
              "f:6: limit_nofile: the handler is in the worker, which has open files of its own; expected at least "
              "65");
        check("[a]\nlisten = /a\nhandler_type = builtin\nhandler = redirect 127.0.0.1:80\nlimit_nofile = 65\n", "");
        check("[a]\nlisten = /a\nhandler_type = builtin\nhandler = redirect /a\n",
              "f:4: handler: redirect to /a, where the pool itself listens");
}

static void test_command_line_speaks_of_options(void **state)
{
        (void)state;
        _cleanup_(config_clear) struct config config = {0};
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct config_context context = {.is_root = true, .from_command_line = true};

        assert_int_equal(config_parse_option(&config, "min-spare-workers", "9", &problems), 0);
        assert_int_equal(config_parse_option(&config, "max-spare-workers", "4", &problems), 0);
        assert_int_equal(config_finish(&config, &context, &problems), 0);
        assert_problems(&problems,
                        "--listen is missing: no address to accept connections on\n"
                        "no handler: expected a program and its arguments after --\n"
                        "--user is missing, and preforkd runs as root; give --user=root to run workers as root\n"
                        "--min-spare-workers: 9 is more than --max-spare-workers, which is 4");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_connections_variables),
                cmocka_unit_test(test_unset_numbers_are_fitted),
                cmocka_unit_test(test_set_numbers_that_disagree),
                cmocka_unit_test(test_ondemand),
                cmocka_unit_test(test_adaptive),
                cmocka_unit_test(test_static),
                cmocka_unit_test(test_users_of_unix_sockets),
                cmocka_unit_test(test_delays),
                cmocka_unit_test(test_a_pool_must_fit_the_scoreboard),
                cmocka_unit_test(test_the_control_socket),
                cmocka_unit_test(test_programs_that_accept_themselves),
                cmocka_unit_test(test_datagrams),
                cmocka_unit_test(test_required_keys),
                cmocka_unit_test(test_refused_values_do_not_count_as_set),
                cmocka_unit_test(test_no_pool_is_no_problem),
                cmocka_unit_test(test_addresses_have_one_owner),
                cmocka_unit_test(test_addresses_that_include_each_other),
                cmocka_unit_test(test_link_local_addresses_name_their_interface),
                cmocka_unit_test(test_root_must_say_who_serves),
                cmocka_unit_test(test_others_serve_as_themselves),
                cmocka_unit_test(test_what_has_no_effect_is_told),
                cmocka_unit_test(test_privileged_helpers_are_warned_about),
                cmocka_unit_test(test_auto),
                cmocka_unit_test(test_handlers_that_are_no_programs),
                cmocka_unit_test(test_command_line_speaks_of_options),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
