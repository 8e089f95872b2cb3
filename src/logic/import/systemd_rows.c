/* The table of the directives of socket and service units. A word that ends in `*` stands for all that begin so. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/words.h"
#include "logic/import/systemd.h"
#include "logic/import/systemd_value.h"

static const char no_socket[] = "no such option of sockets";
static const char instance[] = "no sandbox of a handler alone; set it in preforkd.service, where it holds for all";
static const char service[] = "the unit is preforkd.service now";
static const char connection[] = "the connection is the handler's stdin and stdout";
static const char trigger[] = "no limit closes a service";
static const char probes[] = "the kernel's values, see tcp(7)";
static const char commands[] = "no commands beside the handler; put them into preforkd.service, or a script";

static IMPORT_TAKE(take_left_out)
{
        (void)directive;
        draft_leave_out(draft, pool, "%s", row->advice);
}

static IMPORT_TAKE(take_backlog)
{
        uint64_t number;

        if (number_parse(directive->value, &number) == 0 && number > INT32_MAX)
                draft_note(draft, pool, "as many as can be; %s is what it is unless you set it", row->ours);
        else
                draft_set(draft, pool, row->ours, directive->value);
}

static IMPORT_TAKE(take_ipv6_only)
{
        draft_set(draft, pool, row->ours, text_equal(directive->value, "ipv6-only") ? "yes" : "no");
}

static IMPORT_TAKE(take_defer)
{
        draft_set(draft, pool, row->ours, text_equal(directive->value, "0") ? "no" : "yes");
}

/* A service that accepts itself has one process. */
static IMPORT_TAKE(take_connections)
{
        if (text_equal(draft_value(pool, "handler_type"), "listener"))
                draft_note(draft, pool, "it says nothing without Accept=yes");
        else
                draft_set(draft, pool, row->ours, directive->value);
}

static IMPORT_TAKE(take_stdin)
{
        if (!text_equal(directive->value, "socket"))
                draft_note(draft, pool, "%s", row->advice);
}

static IMPORT_TAKE(take_stderr)
{
        if (text_equal(directive->value, "null") || text_equal(directive->value, "socket"))
                draft_set(draft, pool, row->ours, directive->value);
        else if (text_equal(directive->value, "inherit"))
                draft_note(draft, pool, "it is logged; stderr = socket sends it to the client");
        else
                draft_note(draft, pool, "it is logged where preforkd logs");
}

/* `SIGINT`, `INT` or `2`. What serves one connection gets none but SIGTERM. */
static IMPORT_TAKE(take_signal)
{
        static const char *const numbers[] = {[SIGHUP] = "HUP",   [SIGINT] = "INT",   [SIGQUIT] = "QUIT",
                                              [SIGUSR1] = "USR1", [SIGUSR2] = "USR2", [SIGTERM] = "TERM"};
        const char *name = directive->value + (text_starts_with(directive->value, "SIG") ? strlen("SIG") : 0);
        uint64_t number;

        if (number_parse(name, &number) == 0 && number < ELEMENTS(numbers) && numbers[number])
                name = numbers[number];
        if (text_equal(draft_value(pool, "handler_type"), "listener"))
                draft_set(draft, pool, row->ours, name);
        else
                draft_note(draft, pool,
                           "a handler that serves one connection gets SIGTERM, and after kill_timeout SIGKILL");
}

static IMPORT_TAKE(take_environment)
{
        _cleanup_(words_clear) struct words words = {0};
        _cleanup_(text_clear) struct text error = {0};
        int r = systemd_value_words(directive->value, &words, &error);

        if (r == -ENOMEM)
                draft->out_of_memory = true;
        else if (r < 0)
                draft_ask(draft, pool, "not carried over as %s: %s", row->ours, text_string(&error));
        for (size_t i = 0; i < words.count && r == 0; i++)
                draft_add_word(draft, pool, row->ours, words.list[i]);
}

/* clang-format off */
const struct import_row systemd_rows[] = {
        {"ListenStream", "listen", "* is every address", NULL},
        {"ListenDatagram", "listen", "udp:ADDRESS:PORT or unixgram:PATH", NULL},
        {"ListenSequentialPacket", NULL, "no such sockets", take_left_out},
        {"ListenFIFO", NULL, "no such sockets", take_left_out},
        {"ListenSpecial", NULL, "no such sockets", take_left_out},
        {"ListenNetlink", NULL, "no such sockets", take_left_out},
        {"ListenMessageQueue", NULL, "no such sockets", take_left_out},
        {"ListenUSBFunction", NULL, "no such sockets", take_left_out},
        {"SocketProtocol", NULL, "no such sockets", take_left_out},
        {"Accept", "handler_type", "yes is inetd; no is listener, with accounting = none, scaling = ondemand and max_workers "
                   "= 1", NULL},
        {"Backlog", "backlog", NULL, take_backlog},
        {"BindIPv6Only", "ipv6_only", NULL, take_ipv6_only},
        {"BindToDevice", "bind_to_device", "who may connect depends on it", import_take_restriction},
        {"SocketUser", "socket_user", NULL, import_take_word},
        {"SocketGroup", "socket_group", NULL, import_take_word},
        {"SocketMode", "socket_mode", NULL, import_take_same},
        {"DirectoryMode", NULL, "the directory of a socket has to be there", import_take_note},
        {"MaxConnections", "max_workers", "and when_full = refuse", take_connections},
        {"MaxConnectionsPerSource", "max_connections_per_source", NULL, take_connections},
        {"KeepAlive", "tcp_keepalive", NULL, import_take_yes_no},
        {"KeepAlive*", NULL, probes, import_take_note},
        {"NoDelay", "tcp_nodelay", NULL, import_take_yes_no},
        {"DeferAcceptSec", "defer_accept", NULL, take_defer},
        {"FreeBind", "free_bind", NULL, import_take_yes_no},
        {"IPAddressAllow", "allow", "where IPAddressDeny=any shuts out the rest", NULL},
        {"IPAddressDeny", "deny", NULL, NULL},
        {"TriggerLimit*", NULL, trigger, import_take_note},
        {"PollLimit*", NULL, trigger, import_take_note},
        {"FileDescriptorName", NULL, "descriptors have no names", import_take_note},
        {"RemoveOnStop", NULL, "preforkd removes its sockets when it stops", import_take_note},
        {"Symlinks", NULL, "make them by tmpfiles.d", import_take_note},
        {"Service", NULL, "that unit is read with it", import_take_note},
        {"FlushPending", NULL, no_socket, import_take_note},
        {"Writable", NULL, no_socket, import_take_note},
        {"Transparent", NULL, no_socket, import_take_note},
        {"Broadcast", NULL, no_socket, import_take_note},
        {"PassCredentials", NULL, no_socket, import_take_note},
        {"PassPacketInfo", NULL, no_socket, import_take_note},
        {"PassSecurity", NULL, no_socket, import_take_note},
        {"Timestamping", NULL, no_socket, import_take_note},
        {"ReceiveBuffer", NULL, no_socket, import_take_note},
        {"SendBuffer", NULL, no_socket, import_take_note},
        {"IPTOS", NULL, no_socket, import_take_note},
        {"IPTTL", NULL, no_socket, import_take_note},
        {"Mark", NULL, no_socket, import_take_note},
        {"Priority", NULL, no_socket, import_take_note},
        {"PipeSize", NULL, no_socket, import_take_note},
        {"ReusePort", NULL, no_socket, import_take_note},
        {"TCPCongestion", NULL, no_socket, import_take_note},
        {"SELinux*", NULL, instance, import_take_note},
        {"Smack*", NULL, instance, import_take_note},

        {"ExecStart", "handler", "what systemd puts in for variables is put in here", NULL},
        {"Exec*", NULL, commands, import_take_note},
        {"Type", NULL, service, import_take_note},
        {"User", "user", NULL, NULL},
        {"Group", "group", NULL, import_take_word},
        {"DynamicUser", NULL, "there is none; a pool names a user", import_take_note},
        {"SupplementaryGroups", "supplementary_groups", NULL, import_take_same},
        {"Environment", "environment", NULL, take_environment},
        {"EnvironmentFile", "environment_file", NULL, import_take_same},
        {"PassEnvironment", "pass_environment", NULL, import_take_same},
        {"UMask", "umask", NULL, import_take_same},
        {"Nice", "nice", NULL, import_take_same},
        {"WorkingDirectory", "directory", NULL, import_take_word},
        {"RootDirectory", "root_directory", NULL, import_take_word},
        {"OOMScoreAdjust", "oom_score_adj", NULL, import_take_same},
        {"NoNewPrivileges", "no_new_privileges", NULL, import_take_yes_no},
        {"LimitNOFILE", "limit_nofile", NULL, import_take_limit},
        {"LimitAS", "limit_as", NULL, import_take_limit},
        {"LimitCORE", "limit_core", NULL, import_take_limit},
        {"LimitCPU", "limit_cpu", NULL, import_take_limit},
        {"LimitNPROC", "limit_nproc", NULL, import_take_limit},
        {"LimitDATA", "limit_data", NULL, import_take_limit},
        {"LimitSTACK", "limit_stack", NULL, import_take_limit},
        {"LimitFSIZE", "limit_fsize", NULL, import_take_limit},
        {"Limit*", NULL, "no such limit of handlers; set it in preforkd.service", import_take_note},
        {"StandardInput", NULL, connection, take_stdin},
        {"StandardOutput", NULL, connection, import_take_note},
        {"StandardError", "stderr", NULL, take_stderr},
        {"RuntimeMaxSec", "request_timeout", NULL, import_take_time},
        {"TimeoutStartSec", "start_timeout", NULL, import_take_time},
        {"TimeoutStopSec", "kill_timeout", NULL, import_take_time},
        {"TimeoutSec", "kill_timeout", NULL, import_take_time},
        {"RestartSec", "restart_delay_min", NULL, import_take_time},
        {"Restart*", NULL, "workers that end are replaced", import_take_note},
        {"Success*", NULL, "no exit status of a handler is a failure of the pool", import_take_note},
        {"KillSignal", "retire_signal", "of a handler of the type listener", take_signal},
        {"Kill*", NULL, "SIGTERM, and after kill_timeout SIGKILL", import_take_note},
        {"MemoryDenyWriteExecute", NULL, instance, import_take_note},
        {"FinalKillSignal", NULL, "SIGKILL, after kill_timeout", import_take_note},
        {"Memory*", NULL, "limit_as bounds a handler, max_worker_memory replaces a worker; or set it in preforkd.service",
         import_take_note},
        {"Log*", NULL, "log_level and stderr_rate_limit bound what is logged", import_take_note},
        {"Syslog*", NULL, "the log names the pool", import_take_note},
        {"Delegate", NULL, instance, import_take_note},
        {"Slice", NULL, instance, import_take_note},
        {"RuntimeDirectory*", NULL, "make it by tmpfiles.d, or in preforkd.service", import_take_note},
        {"StateDirectory*", NULL, "make it by tmpfiles.d, or in preforkd.service", import_take_note},
        {"*", NULL, instance, import_take_note},
};
/* clang-format on */
const size_t systemd_row_count = ELEMENTS(systemd_rows);
