/* The importers: a configuration is made of a file, and is what preforkd takes. */
#include "logic/config/foreign.h"
#include "logic/config/schema.h"
#include "logic/import/systemd.h"
#include "unit/logic/import/converted.h"

static bool is_built(const char *option)
{
        int index = pool_option_find(option);

        return index >= 0 && !pool_options[index].not_built;
}

static void test_xinetd_service(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        bool undecided = convert(
                "xinetd",
                "defaults\n{\n instances = 20\n env = C=3\n flags = NODELAY\n log_type = SYSLOG\n}\n"
                "service secure-shell\n{\n socket_type = stream\n wait = no\n user = nobody\n"
                " server = /bin/cat\n server_args = -u \"a b\" it's d\\e\n env = A=1\n env += B=2\n per_source = 3\n"
                " rlimit_as = 64M\n rlimit_cpu = UNLIMITED\n nice = 5\n umask = 027\n flags = KEEPALIVE\n"
                " bind = ::1\n log_on_failure = HOST\n log_on_success = PID HOST DURATION EXIT TRAFFIC\n}\n",
                false, &text);
        assert_false(undecided);
        expect(&text, "\n[secure-shell]\nlisten = [::1]:22\ntcp_keepalive = yes\nhandler = /bin/cat -u '\"a' 'b\"' "
                      "'it'\\''s' 'd\\e'\n");
        expect(&text, "\nuser = nobody\n");
        expect(&text, "\numask = 027\n");
        expect(&text, "\nnice = 5\n");
        expect(&text, "\nenvironment = A=1 B=2\n");
        expect(&text, "\n# defaults: env = C=3: not carried over: xinetd takes no env there\n");
        expect(&text, "\n# defaults: flags = NODELAY: not carried over");
        expect(&text, "\nlimit_as = 64M\n");
        expect(&text, "\nlimit_cpu = infinity\n");
        expect(&text, "\nmax_workers = 20\n");
        expect(&text, "\nwhen_full = refuse\n");
        expect(&text, "\nmax_connections_per_source = 3\n");
        expect(&text, "\nconnection_log = all\n");
        expect(&text, "\n# log_type = SYSLOG: in [preforkd]");
}

static void test_banners(void **state)
{
        static const char begin[] =
                "service ssh\n{\n socket_type = stream\n wait = no\n user = nobody\n server = /bin/cat\n";
        _cleanup_(text_clear) struct text alone = {0}, all = {0}, apart = {0}, both = {0}, waits = {0}, words = {0};
        char file[512];

        (void)state;
        snprintf(file, sizeof(file), "%s banner = /etc/motd\n}\n", begin);
        assert_false(convert("xinetd", file, false, &alone));
        expect(&alone, "\nbanner = @/etc/motd\n");
        assert_null(strstr(text_string(&alone), "full_response"));
        snprintf(file, sizeof(file), "%s banner = /etc/motd\n only_from = 192.0.2.1\n}\n", begin);
        assert_false(convert("xinetd", file, false, &all));
        expect(&all, "\nfull_response = @/etc/motd\nallow = 192.0.2.1\nbanner = @/etc/motd\n");
        snprintf(file, sizeof(file), "%s banner_fail = /etc/no\n banner_success = /etc/yes\n instances = 3\n}\n",
                 begin);
        assert_false(convert("xinetd", file, false, &apart));
        expect(&apart, "\nfull_response = @/etc/no\nbanner = @/etc/yes\n");
        snprintf(file, sizeof(file), "%s banner = /etc/motd\n banner_success = /etc/yes\n}\n", begin);
        assert_true(convert("xinetd", file, false, &both));
        expect(&both, "\n# ! banner_success = /etc/yes: after another file; put both into one for banner\n");
        assert_false(convert(
                "xinetd", "service tftp\n{\n socket_type = dgram\n wait = yes\n server = /bin/cat\n banner = /a\n}\n",
                false, &waits));
        expect(&waits, "\n# banner = /a: nobody is greeted by a service that waits\n");
        assert_false(convert("tcpserver", "-B \"220 it's @ here\\\\r\" -u 7 127.0.0.1 25 /bin/cat", false, &words));
        expect(&words, "\nbanner = '220 it\\x27s @ here\\\\r'\n");
}

static void test_xinetd_wait(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_false(
                convert("xinetd",
                        "defaults {\n log_on_failure = HOST\n}\n"
                        "service tftp\n{\n socket_type = dgram\n wait = yes\n instances = 5\n server = /bin/cat\n}\n"
                        "service x\n{\n port = 1\n server = /bin/cat\n user = nobody\n}\n"
                        "service y\n{\n port = 2\n server = /bin/cat\n user = nobody\n log_on_failure =\n}\n",
                        false, &text));
        expect(&text, "\n# log_on_failure = HOST: a service that waits has its connections alone");
        expect(&text, "\nconnection_log = refused\n");
        expect(&text, "\n# instances = 5: no effect on a service that waits");
        expect(&text, "\nlisten = udp:*:69\nhandler_type = listener\nhandler = /bin/cat\nlisten_fd = 0\n"
                      "accounting = none\nuser = root\nno_new_privileges = no\nscaling = ondemand\nmax_workers = 1\n");
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
        expect(&text, "\n[echo]\nlisten = *:7\nhandler_type = builtin\nhandler = echo\nuser = nobody\n");
        expect(&text, "\n# [echo-2]\n");
        expect(&text, "\n# ! left out: listen: udp:0.0.0.0:7: that builtin answers datagrams");
        expect(&text, "\nhandler = redirect 127.0.0.1:22\n");
        expect(&text, "\n# ! left out: preforkd itself serves no servers\n");
}

/* As xinetd 2.3.15.3 of Debian listens. */
static void test_xinetd_addresses(void **state)
{
        static const struct {
                const char *attributes, *expected;
        } cases[] = {
                {"", "\nlisten = *:1\nhandler"},
                {" flags = IPv6\n", "\nlisten = *:1\nhandler"},
                {" flags = IPv4\n", "\nlisten = 0.0.0.0:1\nhandler"},
                {" v6only = yes\n", "\nlisten = *:1\nipv6_only = yes\nhandler"},
                {" v6only = no\n", "\nlisten = *:1\nhandler"},
                {" v6only = no\n", "\n# v6only = no: IPv4 is served, too"},
                {" flags = IPv4\n v6only = yes\n", "\nlisten = 0.0.0.0:1\nhandler"},
                {" flags = IPv4\n v6only = yes\n", "\n# v6only = yes: no effect: it has no IPv6 address\n"},
                {" bind = ::\n", "\nlisten = [::]:1\nhandler"},
                {" bind = ::1\n v6only = yes\n", "\nlisten = [::1]:1\nipv6_only = yes\nhandler"},
                {" bind = 0.0.0.0\n", "\nlisten = 0.0.0.0:1\nhandler"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(text_clear) struct text text = {0}, file = {0};
                assert_int_equal(
                        text_appendf(&file, "service x\n{\n port = 1\n server = /bin/cat\n%s}\n", cases[i].attributes),
                        0);
                assert_false(convert("xinetd", text_string(&file), false, &text));
                expect(&text, cases[i].expected);
        }
}

/* What is no list is set by the first =, in a service; of lists the last = begins anew. */
static void test_xinetd_said_again(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_false(convert("xinetd",
                             "defaults\n{\n only_from = 10.0.0.1\n only_from = 10.0.0.2\n}\n"
                             "service x\n{\n port = 1\n server = /bin/cat\n server_args = a\n server_args = b\n"
                             " server_args += c\n env = A=1\n env = B=\"2\n only_from += 10.0.0.3\n}\n"
                             "service y\n{\n port = 2\n server = /bin/cat\n only_from = 10.0.0.4\n"
                             " only_from = 10.0.0.5\n}\n",
                             false, &text));
        expect(&text, "\nhandler = /bin/cat a\n");
        expect(&text, "\n# server_args = b: not carried over: xinetd takes the first server_args =");
        expect(&text, "\n# server_args += c: not carried over");
        expect(&text, "\nenvironment = 'B=\"2'\n");
        expect(&text, "\nallow = 10.0.0.1 10.0.0.2 10.0.0.3\n");
        expect(&text, "\nallow = 10.0.0.5\n");
}

/* Limits that say nothing of a service that waits are no reason to leave it out; who may connect is. */
static void test_xinetd_wait_limits(void **state)
{
        static const char limits[] = "defaults\n{\n cps = 50 10\n per_source = 3\n instances = 9\n}\n"
                                     "service tftp\n{\n socket_type = dgram\n wait = yes\n server = /bin/cat\n"
                                     " flags = NODELAY KEEPALIVE\n}\n";
        _cleanup_(text_clear) struct text text = {0}, ruled = {0};

        (void)state;
        assert_false(convert("xinetd", limits, false, &text));
        expect(&text, "\n[tftp]\n");
        expect(&text, "\n# cps = 50 10: no effect on a service that waits");
        expect(&text, "\n# per_source = 3: no effect on a service that waits");
        expect(&text, "\n# instances = 9: no effect on a service that waits");
        expect(&text, "\n# tcp_nodelay = yes: no effect: the pool listens on no TCP address\n");
        expect(&text, "\n# tcp_keepalive = yes: no effect: the pool listens on no TCP address\n");
        assert_true(convert("xinetd",
                            "defaults\n{\n only_from = 10.0.0.1\n}\n"
                            "service tftp\n{\n socket_type = dgram\n wait = yes\n server = /bin/cat\n}\n",
                            false, &ruled));
        expect(&ruled, "\n# [tftp]\n");
}

/* A program that needs privileges had them. */
static void test_privileges(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_false(convert("inetd", "99 stream tcp nowait mail /usr/sbin/sendmail sendmail -bs\n", false, &text));
        expect(&text, "\nno_new_privileges = no\n");
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

/* What belongs to no block is not taken for a part of another one. */
static void test_xinetd_blocks(void **state)
{
        _cleanup_(text_clear) struct text text = {0}, alone = {0};

        (void)state;
        assert_true(convert(
                "xinetd",
                "service x\n{\n port = 1\n server = /bin/cat\n}\nservise y {\n user = nobody\n}\n{\n nice = 3\n}\n",
                false, &text));
        expect(&text, "\nuser = root\n");
        expect(&text, "# ! not understood: /etc/x:6: servise y {\n# ! not understood: /etc/x:7: user = nobody\n"
                      "# ! not understood: /etc/x:10: nice = 3\n");
        assert_true(convert("xinetd", "x {\n a = b\n}\n{\n c = d\n", false, &alone));
}

static void test_nothing_to_serve(void **state)
{
        static const char *const files[] = {"", "service z\n{\n disable = yes\n port = 1\n server = /bin/cat\n}\n",
                                            "service z\n{\n port = 1\n}\n"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                _cleanup_(text_clear) struct text text = {0};
                assert_true(convert("xinetd", files[i], false, &text));
                expect(&text, "\n# ! nothing is left that could be served\n");
        }
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
        static const char of_defaults[] = "defaults\n{\n flags = NOLIBWRAP\n}\n"
                                          "service x\n{\n port = 1\n server = /bin/cat\n}\n";
        _cleanup_(text_clear) struct text closed = {0}, open = {0}, ignored = {0};
        struct import_source comments = source("hosts.deny", "# ALL: ALL\n\n"),
                             rule = source("hosts.deny", "#\nALL: ALL");

        (void)state;
        assert_true(convert("xinetd", file, true, &closed));
        assert_false(convert("xinetd", free_of_it, true, &open));
        assert_true(convert("xinetd", of_defaults, true, &ignored)); /* xinetd takes no flags there */
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
                            "ssh stream tcp nowait nobody.nogroup /bin/cat cat -u\n\t'a b' \\c d'e\n"
                            "*:\n"
                            "tftp dgram udp wait root /usr/sbin/in.tftpd in.tftpd -s /srv\n"
                            "[::1],10.0.0.1:8022 stream tcp nowait/10/20/5 www:web/daemon /bin/cat other-name\n"
                            ":root:wheel:0600:/run/x.sock stream unix nowait root /bin/cat cat\n"
                            "99 stream tcp46 nowait.400 root /bin/cat cat\n"
                            "rstatd/1-3 dgram rpc/udp wait root /bin/cat cat\n"
                            "echo stream tcp6 maybe root internal\n",
                            false, &text));
        assert_null(strstr(text_string(&text), "off"));
        expect(&text, "\n[echo]\nlisten = *:7\nhandler_type = builtin\nhandler = echo\nuser = nobody\n");
        expect(&text, "\n[ssh]\nlisten = [::1]:22\nhandler = /bin/cat -u 'a b' '\\c' 'd'\\''e'\nuser = nobody\n"
                      "group = nogroup\n");
        expect(&text, "\n# ! quotes: read as");
        expect(&text, "\nlisten = udp:*:69\nhandler_type = listener\nhandler = /usr/sbin/in.tftpd -s /srv\n"
                      "listen_fd = 0\naccounting = none\n");
        expect(&text, "\nlisten = [::1]:8022 10.0.0.1:8022\n");
        expect(&text, "\nmax_workers = 10\nmax_connections_per_source = 5\n");
        expect(&text, is_built("argv0") ? "\nargv0 = other-name\n" : "\n# not carried over as argv0 = other-name: ");
        expect(&text, "\n# login-class = daemon: ");
        expect(&text,
               is_built("rate_limit") ? "rate_limit = 400/m" : "\n# max = 400: not carried over as rate_limit = 400/m");
        expect(&text, "\nlisten = /run/x.sock\nsocket_user = root\nsocket_group = wheel\nsocket_mode = 0600\n");
        expect(&text, "\nlisten = *:99\n");
        expect(&text, "\n# [rstatd-1-3]\n");
        expect(&text, "# ! not understood: /etc/x:12: echo stream tcp6 maybe root internal\n");
}

static void test_inetd_protocols(void **state)
{
        static const struct {
                const char *protocol, *expected;
        } cases[] = {
                {"stream tcp nowait", "\nlisten = *:99\nhandler"},
                {"stream tcp4 nowait", "\nlisten = 0.0.0.0:99\nhandler"},
                {"stream tcp6 nowait", "\nlisten = [::]:99\nipv6_only = yes\nhandler"},
                {"stream tcp6only nowait", "\nlisten = [::]:99\nipv6_only = yes\nhandler"},
                {"stream tcp46 nowait", "\nlisten = *:99\nhandler"},
                {"stream tcp,rcvbuf=16384 nowait", "\nlisten = *:99\nhandler"},
                {"stream tcp,rcvbuf=16384 nowait", "\n# rcvbuf=16384: buffers have the size"},
                {"dgram udp wait", "\nlisten = udp:*:99\nhandler"},
                {"dgram udp4 wait.40", "\nlisten = udp:0.0.0.0:99\nhandler"},
                {"dgram udp4 wait.40", "\n# max = 40: no effect on a service that waits"},
                {"dgram udp wait/3", "\n# max-child = 3: no effect on a service that waits"},
                {"stream tcp nowait/0", "\n# max-child = 0: inetd had no limit"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(text_clear) struct text text = {0}, file = {0};
                assert_int_equal(text_appendf(&file, "99 %s nobody /bin/cat cat\n", cases[i].protocol), 0);
                assert_false(convert("inetd", text_string(&file), false, &text));
                expect(&text, cases[i].expected);
        }
}

/* Networks are no clients of UNIX sockets: what is closed is closed for these, too. */
static void test_a_closed_unix_socket(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_true(convert("inetd", "/run/x.sock stream unix nowait root /bin/cat cat\n", true, &text));
        expect(&text, "\ndeny = 0.0.0.0/0 ::/0 unix\n");
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

static void test_systemd_accept(void **state)
{
        const struct import_source sources[] = {
                source("/lib/s/shell.socket",
                       "[Unit]\nDescription=Shells\n[Socket]\nListenStream=22\nListenStream=[::1]:23\nAccept=yes\n"
                       "MaxConnections=9\nMaxConnectionsPerSource=2\nNoDelay=true\nBacklog=4294967295\nWritable=yes\n"),
                source("/etc/s/shell.socket.d/a.conf", "[Socket]\nListenStream=\nListenStream=127.0.0.1:24\n"),
                source("/lib/s/shell@.service",
                       "[Service]\nType=simple\nExecStart=-/usr/sbin/sshd -i $OPTIONS \\\n  ${WHERE}/x $MANY 100%%\n"
                       "EnvironmentFile=-/etc/default/ssh\nEnvironment=WHERE=/srv MANY='a b'\nStandardInput=socket\n"
                       "RuntimeMaxSec=1min 30s\nLimitNOFILE=100:200\nProtectSystem=strict\nNonsense\n"),
        };
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_true(convert_all("systemd", sources, ELEMENTS(sources), false, &text)); /* $OPTIONS */
        expect(&text, "\n[shell]\nlisten = 127.0.0.1:24\ntcp_nodelay = yes\n");
        expect(&text, "\nhandler = /usr/sbin/sshd -i /srv/x a b 100%\n");
        expect(&text, "\nmax_workers = 9\nwhen_full = refuse\nmax_connections_per_source = 2\n");
        expect(&text, "\nrequest_timeout = 90s\n");
        expect(&text, "\nlimit_nofile = 100:200\n");
        expect(&text, "not set in the unit, and left out here: OPTIONS.");
        expect(&text, "\n# ProtectSystem = strict: no sandbox");
        expect(&text, "\n# [Unit] Description = Shells: ");
        expect(&text, "\n# Writable = yes: ");
        expect(&text, "not understood: /lib/s/shell@.service:11: Nonsense\n");
}

static void test_systemd_listener(void **state)
{
        static const struct {
                const char *socket, *service, *expected;
        } cases[] = {
                {"ListenStream=%t/x.sock\nSocketMode=0600", "User=www", "\nlisten = /run/x.sock\nsocket_mode = 0600\n"},
                {"ListenDatagram=69", "", "\nlisten = udp:*:69\n"},
                {"ListenStream=@name", "", "\nlisten = @name\n"},
                {"ListenStream=80", "", "\nscaling = ondemand\nmax_workers = 1\n"},
                {"ListenStream=vsock::22", "", "\n# ! left out: ListenStream=vsock::22: "},
                {"ListenFIFO=/run/x", "", "\n# ! ListenFIFO = /run/x: left out: "},
                {"ListenStream=80", "Type=forking", "\n# ! left out: Type=forking: "},
                {"ListenStream=80", "ExecStart=/bin/true", "\n# ! left out: ExecStart has several commands\n"},
                {"ListenStream=80\nAccept=yes", "", "\n# ! left out: without StandardInput=socket it expects"},
                {"ListenStream=80", "DynamicUser=yes", "\n# ! DynamicUser=yes: there is none"},
                {"ListenStream=80", "StandardError=null", "\nstderr = null\n"},
                {"ListenStream=80", "ExecStart=\nExecStart=@/bin/cat dog %i",
                 "ExecStart=@/bin/cat dog %i: %i stands for"},
                {"ListenStream=80", "ExecStart=\nExecStart=:/bin/cat $A", "\nhandler = /bin/cat '$A'\n"},
                {"ListenStream=80", "ExecStart=\nExecStart=/bin/cat a\\x20b '\\s' \\q \\055u",
                 "\nhandler = /bin/cat 'a b' ' ' '\\q' -u\n"},
                {"ListenStream=80", "ExecStart=\nExecStart=/bin/cat 'a",
                 "ExecStart=/bin/cat 'a: no command, or an unclosed"},
                {"ListenStream=80", "Environment=\"A=b c\" D=50%% E=\\x41", "\nenvironment = 'A=b c' D=50% E=A\n"},
                {"ListenStream=80", "Environment=A=%h",
                 "\n# ! Environment = A=%h: not carried over as environment: %h stands"},
                {"ListenStream=80", "KillSignal=SIGINT", "\nretire_signal = INT\n"},
                {"ListenStream=80", "KillSignal=QUIT", "\nretire_signal = QUIT\n"},
                {"ListenStream=80", "KillSignal=12", "\nretire_signal = USR2\n"},
                {"ListenStream=80", "KillSignal=SIGWINCH",
                 "\n# KillSignal = SIGWINCH: not carried over as retire_signal = WINCH"},
                {"ListenStream=80\nAccept=yes", "StandardInput=socket\nKillSignal=SIGINT",
                 "\n# KillSignal = SIGINT: a handler that serves one connection gets SIGTERM"},
                {"ListenStream=80", "KillMode=process", "\n# KillMode = process: SIGTERM"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(text_clear) struct text socket = {0}, service = {0}, text = {0};
                assert_int_equal(text_appendf(&socket, "[Socket]\n%s\n", cases[i].socket), 0);
                assert_int_equal(text_appendf(&service, "[Service]\nExecStart=/bin/cat\n%s\n", cases[i].service), 0);
                const struct import_source sources[] = {source("x.socket", text_string(&socket)),
                                                        source("x.service", text_string(&service))};
                convert_all("systemd", sources, ELEMENTS(sources), false, &text);
                expect(&text, cases[i].expected);
        }
}

static void test_systemd_access(void **state)
{
        static const struct {
                const char *rules, *expected;
                bool closes;
        } cases[] = {
                {"IPAddressDeny=any\nIPAddressAllow=localhost 10.0.0.0/8", "allow = 127.0.0.0/8 ::1 10.0.0.0/8", false},
                {"IPAddressDeny=10.0.0.0/8", "deny = 10.0.0.0/8", false},
                {"IPAddressDeny=10.0.0.7/8", "deny = 10.0.0.0/8", false},
                {"IPAddressDeny=10.0.0.0/8\nIPAddressAllow=10.1.0.0/16", "one is an exception to the other", true},
                {"IPAddressAllow=localhost", "shuts out nobody", false},
                {"BindToDevice=eth0", "bind_to_device = eth0", false},
                {"ListenStream=/run/x.sock\nIPAddressDeny=any\nIPAddressAllow=localhost",
                 "\nallow = 127.0.0.0/8 ::1 unix\n", false},
                {"ListenStream=/run/x.sock\nIPAddressDeny=any", "\ndeny = 0.0.0.0/0 ::/0\n", false},
                {"ListenStream=\nListenStream=/run/x.sock\nIPAddressDeny=any\nIPAddressAllow=localhost",
                 "no effect: clients of UNIX sockets have no addresses", false},
                {"ListenStream=/run/x.sock\nIPAddressDeny=10.0.0.0/8\nIPAddressAllow=10.1.0.0/16",
                 "\ndeny = 0.0.0.0/0 ::/0 unix\n", true},
                {"IPAddressDeny=any\nIPAddressAllow=unix", "\ndeny = 0.0.0.0/0 ::/0\n", true},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(text_clear) struct text socket = {0}, text = {0};
                assert_int_equal(text_appendf(&socket, "[Socket]\nListenStream=80\nAccept=yes\n%s\n", cases[i].rules),
                                 0);
                const struct import_source sources[] = {
                        source("x.socket", text_string(&socket)),
                        source("x@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")};
                bool undecided = convert_all("systemd", sources, ELEMENTS(sources), false, &text);
                expect(&text, cases[i].expected);
                if (cases[i].closes)
                        assert_true(undecided);
        }
}

static void test_systemd_service_name(void **state)
{
        static const struct {
                const char *socket, *service;
        } cases[] = {{"", "x.service"}, {"Accept=yes", "x@.service"}, {"Accept=yes\nService=y.service", "y.service"}};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(text_clear) struct text socket = {0}, name = {0};
                assert_int_equal(text_appendf(&socket, "[Socket]\n%s\n", cases[i].socket), 0);
                const struct import_source it = source("x.socket", text_string(&socket));
                assert_int_equal(systemd_service_name("x.socket", &it, 1, &name), 0);
                assert_string_equal(text_string(&name), cases[i].service);
        }
}

static void test_tcpserver(void **state)
{
        _cleanup_(text_clear) struct text text = {0}, closed = {0}, chain = {0}, named = {0}, quiet = {0}, piped = {0};

        (void)state;
        assert_false(convert("tcpserver", "tcpserver -vDRHl0 -c50 -b 100 -u nobody -g nogroup 0 ssh /bin/cat -u 'a b'",
                             false, &text));
        expect(&text,
               "\nlisten = 0.0.0.0:22\nbacklog = 100\ntcp_nodelay = yes\nhandler = /bin/cat -u 'a b'\nuser = nobody\n"
               "group = nogroup\nclear_environment = no\nstderr = inherit\nmax_workers = 50\n");
        expect(&text, "\nconnection_log = all\n");
        expect(&text, "\n# R = yes: names are not looked up");
        expect(&text, "\n# H = yes: names are not looked up");
        expect(&text, "\n# l = 0: names are not looked up");
        assert_true(convert("tcpserver", "-x /etc/rules.cdb -u 7 127.0.0.1 25 /bin/cat", false, &closed));
        expect(&closed, "# ! x = /etc/rules.cdb: closed: ");
        assert_true(
                convert("tcpserver", "softlimit -m 9 /bin/setuidgid alias tcpserver ::1 25 /bin/cat", false, &chain));
        expect(&chain, "\nlisten = [::1]:25\nhandler = /bin/cat\nuser = alias\n");
        expect(&chain, "# ! softlimit -m 9 /bin/setuidgid tcpserver: what stands in front");
        expect(&chain, "\nmax_workers = 40\n");
        assert_true(convert("tcpserver", "mail.example.com 25 cat", false, &named));
        expect(&named, "# ! left out: mail.example.com is no address");
        assert_false(convert("tcpserver", "-u 7 0 25 /bin/cat -u '2>&1' '<' /dev/null 1 '>>log' 2", false, &quiet));
        expect(&quiet, "\nhandler = /bin/cat -u 1 2\n");
        expect(&quiet, "\n# 2>&1 < /dev/null >>log: redirections are done by the shell");
        assert_true(convert("tcpserver", "-u 7 0 25 '2>&1' | logger a", false, &piped));
        expect(&piped, "\n# ! 2>&1 | logger a: for the shell");
        expect(&piped, "\n# ! left out: expected a host, a port and a program\n");
}

static void test_php_fpm(void **state)
{
        _cleanup_(text_clear) struct text text = {0};

        (void)state;
        assert_true(convert("php-fpm",
                            "; comment\n[global]\npid = /run/x\nprocess_control_timeout = 10s\n[www]\nuser = www-data\n"
                            "listen = /run/php/$pool.sock\nlisten.owner = a\nlisten.mode = 0600\n"
                            "pm.start_servers = 3\npm.min_spare_servers = 2\npm.max_spare_servers = 4\npm = dynamic\n"
                            "pm.max_children = 9\npm.max_requests = 500\npm.process_idle_timeout = 10s\n"
                            "request_terminate_timeout = 2m\nenv[TMP] = \"/tmp/a b\"\nclear_env = no\n"
                            "php_admin_value[error_log] = /var/log/$pool.log\nphp_flag[display_errors] = off\n"
                            "rlimit_core = unlimited\nsecurity.limit_extensions = .php\n"
                            "[two]\nuser = two\nlisten = 9000\nlisten.allowed_clients = 127.0.0.1,::1\npm = static\n"
                            "pm.max_children = 2\npm.start_servers = 1\nsurprise = 1\nenv[A] = $A\nclear_env = no\n"
                            "daemonize = no\nlisten.backlog = -1\n[three]\nlisten = 9001\n",
                            false, &text));
        expect(&text,
               "\n[www]\nlisten = /run/php/www.sock\nsocket_user = a\nsocket_mode = 0600\nhandler_type = listener\n"
               "handler = /usr/bin/php-cgi -d 'error_log=\"/var/log/www.log\"' -d display_errors=off\nlisten_fd = 0\n"
               "user = www-data\nenvironment = 'TMP=/tmp/a b'\nclear_environment = no\nlimit_core = infinity\n"
               "scaling = dynamic\nmin_spare_workers = 2\nmax_spare_workers = 4\nstart_workers = 3\n"
               "max_workers = 9\nmax_requests = 500\nrequest_timeout = 2m\n");
        expect(&text, "\n# security.limit_extensions = .php: ");
        expect(&text, "\n# process_control_timeout = 10s: shutdown_timeout, ");
        expect(&text, "\n[two]\nlisten = *:9000\n");
        expect(&text, "\nenvironment = FCGI_WEB_SERVER_ADDRS=127.0.0.1,::1\n");
        expect(&text, "\n# pm.start_servers = 1: it says nothing without pm = dynamic\n");
        expect(&text, "\n# ! surprise = 1: unknown here (/etc/x:31)");
        expect(&text, "\n# pass_environment = A: no effect: with clear_environment = no handlers get all variables\n");
        expect(&text, "\n# daemonize = no: the service manager does that\n");
        expect(&text, "\n# listen.backlog = -1: backlog is what it is unless you set it\n");
        expect(&text, "\n# ! left out: it has no user\n");
}

/* The keys, which a pool takes. */
static bool convert_list(size_t format, const char *first, const char *second, struct text *text)
{
        const struct import_source sources[] = {source("one", first), source("two", second)};
        _cleanup_(text_clear) struct text file = {0};
        bool undecided;

        text_truncate(text);
        assert_int_equal(import_list_convert(format, "sshd", sources, 2, text, &undecided), 0);
        assert_int_equal(text_appendf(&file, "[x]\nlisten = 127.0.0.1:1\nhandler = /bin/cat\nuser = nobody\n%s",
                                      text_string(text)),
                         0);
        expect_good(&file);
        return undecided;
}

/* What stands below the first line, which says where it is from. */
static void expect_list(size_t format, const char *first, const char *second, const char *expected)
{
        _cleanup_(text_clear) struct text text = {0};
        bool undecided = convert_list(format, first, second, &text);

        const char *rest = strchr(text_string(&text), '\n') + 1;
        assert_string_equal(rest, expected);
        assert_int_equal(undecided, strstr(expected, "# ! ") != NULL);
}

static void test_tcprules(void **state)
{
        static const struct {
                const char *file, *expected;
        } cases[] = {
                {"", ""},
                {":deny\n", "deny = 0.0.0.0/0 ::/0\n"},
                {"# x\n:allow\n", ""},
                {"127.:allow\n10.1.2.3:allow\n:deny\n", "allow = 127.0.0.0/8 10.1.2.3\n"},
                {"1.2.3.:deny\n1.2.3.4:allow\n", "allow = 0.0.0.0/0 ::/0 1.2.3.4\ndeny = 1.2.3.0/24\n"},
                {"10.0.0.1-3:allow\n1-2.:deny\n:deny",
                 "allow = 10.0.0.1 10.0.0.2 10.0.0.3\ndeny = 1.0.0.0/8 2.0.0.0/8\n"},
                {"1.2.3.4:deny\n1.2.3.4:allow\n",
                 "# one:2: 1.2.3.4:allow: says nothing: an earlier rule is about the same addresses\ndeny = 1.2.3.4\n"},
                {"=evil.example:deny\n10.:allow\n", "# ! one:1: =evil.example:deny: names are not looked up\n"
                                                    "# Beware: these lines lack what is marked, and let in whom that "
                                                    "shut out.\n# allow = 0.0.0.0/0 ::/0 10.0.0.0/8\n"
                                                    "deny = 0.0.0.0/0 ::/0\n"},
                {"joe@10.:deny", "# ! one:1: joe@10.:deny: ident is not asked\ndeny = 0.0.0.0/0 ::/0\n"},
                {"10.:allow,RELAYCLIENT=\"\"\n:deny",
                 "# ! one:1: 10.:allow,RELAYCLIENT=\"\": no variable is set for some clients only; make a pool of "
                 "their own "
                 "with environment, on another address\ndeny = 0.0.0.0/0 ::/0\n"},
                {"10.:deny,WHY=\"x\"", "deny = 10.0.0.0/8\n"},
                {"10:deny", "# ! one:1: 10:deny: not understood as an address\ndeny = 0.0.0.0/0 ::/0\n"},
                {"1.2.3.400:deny", "# ! one:1: 1.2.3.400:deny: not understood as an address\ndeny = 0.0.0.0/0 ::/0\n"},
                {"9-1.:deny", "# ! one:1: 9-1.:deny: not understood as a range of addresses\ndeny = 0.0.0.0/0 ::/0\n"},
                {"1.:den", "# ! one:1: 1.:den: neither allow nor deny\ndeny = 0.0.0.0/0 ::/0\n"},
                {"x", "# ! one:1: x: expected ADDRESS:INSTRUCTIONS\ndeny = 0.0.0.0/0 ::/0\n"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                expect_list(IMPORT_LIST_TCPRULES, cases[i].file, "", cases[i].expected);
}

static void test_hosts_access(void **state)
{
        static const struct {
                const char *allow, *deny, *expected;
        } cases[] = {
                {"", "", ""},
                {"ftpd: 10.0.0.1\n", "ftpd: ALL\n", ""},
                {"", "ALL: ALL\n", "deny = 0.0.0.0/0 ::/0\n"},
                {"sshd, ftpd: 10. 192.168.1.0/255.255.255.0,\\\n [2001:db8::]/32 127.0.0.1 [::1]\n", "ALL : ALL\n",
                 "allow = 10.0.0.0/8 192.168.1.0/24 2001:db8::/32 127.0.0.1 ::1\n"},
                {"", "sshd: 1.2. 9.9.9.9\n", "deny = 1.2.0.0/16 9.9.9.9\n"},
                {"# hosts.allow decides\nsshd: 1.2.\n", "sshd: 1.2.3.4 1. 1.2.\n",
                 "allow = 0.0.0.0/0 ::/0 1.2.0.0/16\ndeny = 1.0.0.0/8\n"},
                {"sshd: ALL\n", "ALL: ALL\n", ""},
                {"ALL EXCEPT sshd: ALL\n", "ALL: ALL\n", "deny = 0.0.0.0/0 ::/0\n"},
                {"ALL EXCEPT ftpd: 1.\n", "ALL: ALL\n", "allow = 1.0.0.0/8\n"},
                {"", "ALL: ALL EXCEPT 127.0.0.1 10.\n", "allow = 127.0.0.1 10.0.0.0/8\n"},
                {"", "sshd: 0.0.0.0/0\n", "deny = 0.0.0.0/0\n"},
                {"", "ALL: ALL: spawn (echo no) &\n",
                 "# two:1: ALL: ALL: spawn (echo no) &: spawn (echo no) &: not carried over\ndeny = 0.0.0.0/0 ::/0\n"},
                {"", "ALL: PARANOID\n",
                 "# ! two:1: ALL: PARANOID: PARANOID is no address or network; names and users are not looked up\n"
                 "deny = 0.0.0.0/0 ::/0\n"},
                {"sshd: .example.com 10.\n", "ALL: ALL",
                 "# ! one:1: sshd: .example.com 10.: .example.com is no address or network; names and users are not "
                 "looked "
                 "up\n# allow = 10.0.0.0/8\ndeny = 0.0.0.0/0 ::/0\n"},
                {"sshd: 192.168.0.0/255.255.0.0 EXCEPT 192.168.3.3\n", "ALL: ALL\n",
                 "allow = 192.168.0.0/16\ndeny = 192.168.3.3\n"},
                {"sshd: 10. EXCEPT 10.1.\n", "", ""}, /* the others come in by no rule */
                {"", "sshd: 10. EXCEPT 10.1.\n", "allow = 0.0.0.0/0 ::/0 10.1.0.0/16\ndeny = 10.0.0.0/8\n"},
                {"sshd: 10. EXCEPT 10.1. EXCEPT 10.1.1.1\n", "ALL: ALL\n",
                 "allow = 10.0.0.0/8 10.1.1.1\ndeny = 10.1.0.0/16\n"},
                {"sshd: 10. EXCEPT 10.1.\nsshd: 10.1.2.\n", "ALL: ALL\n",
                 "allow = 10.0.0.0/8 10.1.2.0/24\ndeny = 10.1.0.0/16\n"},
                {"ALL EXCEPT ALL EXCEPT sshd: 10.\n", "ALL: ALL\n", "allow = 10.0.0.0/8\n"},
                {"", "ALL: ALL EXCEPT 1.\nsshd: 1.2.\n", "allow = 1.0.0.0/8\ndeny = 1.2.0.0/16\n"},
                {"", "sshd: ALL EXCEPT [::]/0\n", "deny = 0.0.0.0/0\n"},
                {"sshd: 1. : deny\n", "", "deny = 1.0.0.0/8\n"},
                {"sshd: 1.2. : deny\nsshd: 1. : allow\n", "sshd: 9. : allow\nALL: ALL\n",
                 "allow = 1.0.0.0/8 9.0.0.0/8\ndeny = 1.2.0.0/16\n"},
                /* What is left of a rule never lets in whom it excepted, or shut out. */
                {"sshd: 10. EXCEPT .example.com\n", "ALL: ALL\n",
                 "# ! one:1: sshd: 10. EXCEPT .example.com: .example.com is no address or network; names and users are "
                 "not looked up\ndeny = 0.0.0.0/0 ::/0\n"},
                {"sshd: 10.\n", "ALL: .example.com\n",
                 "# ! two:1: ALL: .example.com: .example.com is no address or network; names and users are not looked "
                 "up\n# allow = 10.0.0.0/8\ndeny = 0.0.0.0/0 ::/0\n"},
                {"ftpd@10.0.0.1: 8.\nsshd@10.0.0.1: 9.\nsshd: 10.\n", "ALL: ALL\n",
                 "# ! one:2: sshd@10.0.0.1: 9.: which address of this machine was asked is not looked at\n"
                 "# allow = 10.0.0.0/8\ndeny = 0.0.0.0/0 ::/0\n"},
                {"sshd: 1. : twist echo\n", "",
                 "# ! one:1: sshd: 1. : twist echo: it serves something else: make a pool of its own\n"
                 "# deny = 1.0.0.0/8\ndeny = 0.0.0.0/0 ::/0\n"},
                {"sshd: /etc/friends\n", "ALL: ALL",
                 "# ! one:1: sshd: /etc/friends: /etc/friends: write what is in that file here\n"
                 "deny = 0.0.0.0/0 ::/0\n"},
                {"sshd 1.\n", "", "# ! one:1: sshd 1.: expected DAEMONS : CLIENTS\ndeny = 0.0.0.0/0 ::/0\n"},
                {"sshd: 1.2.3.0/255.0.255.0\n", "",
                 "# ! one:1: sshd: 1.2.3.0/255.0.255.0: 1.2.3.0/255.0.255.0 is no address or network; names and users "
                 "are "
                 "not looked up\ndeny = 0.0.0.0/0 ::/0\n"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                expect_list(IMPORT_LIST_HOSTS_ACCESS, cases[i].allow, cases[i].deny, cases[i].expected);
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
                                              "connection_log",
                                              "request_slowlog_timeout"};

        (void)state;
        for (size_t f = 0; f < import_format_count; f++)
                for (size_t i = 0; i < *import_formats[f].row_count; i++) {
                        const struct import_row *row = &import_formats[f].rows[i];
                        if (import_row_find(import_formats[f].rows, *import_formats[f].row_count, row->word, false) !=
                            row)
                                fail_msg("%s is hidden by an earlier row", row->word);
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
                cmocka_unit_test(test_xinetd_addresses),
                cmocka_unit_test(test_xinetd_said_again),
                cmocka_unit_test(test_xinetd_wait_limits),
                cmocka_unit_test(test_privileges),
                cmocka_unit_test(test_banners),
                cmocka_unit_test(test_xinetd_builtins),
                cmocka_unit_test(test_nothing_is_dropped),
                cmocka_unit_test(test_xinetd_blocks),
                cmocka_unit_test(test_nothing_to_serve),
                cmocka_unit_test(test_lost_rules_close),
                cmocka_unit_test(test_libwrap),
                cmocka_unit_test(test_rules_are_carried_over),
                cmocka_unit_test(test_inetd),
                cmocka_unit_test(test_inetd_rules),
                cmocka_unit_test(test_inetd_protocols),
                cmocka_unit_test(test_a_closed_unix_socket),
                cmocka_unit_test(test_systemd_accept),
                cmocka_unit_test(test_systemd_listener),
                cmocka_unit_test(test_systemd_access),
                cmocka_unit_test(test_systemd_service_name),
                cmocka_unit_test(test_tcpserver),
                cmocka_unit_test(test_php_fpm),
                cmocka_unit_test(test_nothing_escapes),
                cmocka_unit_test(test_tcprules),
                cmocka_unit_test(test_hosts_access),
                cmocka_unit_test(test_rows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
