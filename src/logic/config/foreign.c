#include "logic/config/foreign.h"

#include <ctype.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/schema.h"

static const char firewall[] = "a firewall decides who may connect";
static const char section[] = "a pool is a section, [NAME]";
static const char unnamed[] = "preforkd is told where its control socket is, and needs no other file";
static const char service[] = "a unit of preforkd starts it; a pool has a handler";

/* clang-format off */
const struct foreign_word foreign_words[] = {
        {"xinetd", "service", NULL, section},
        {"xinetd", "instances", "max_workers", "and when_full = refuse"},
        {"xinetd", "per_source", "max_connections_per_source", NULL},
        {"xinetd", "server", "handler", NULL},
        {"xinetd", "server_args", "handler", "the arguments follow the program"},
        {"xinetd", "port", "listen", "ADDRESS:PORT"},
        {"xinetd", "bind", "listen", "ADDRESS:PORT"},
        {"xinetd", "interface", "listen", "ADDRESS:PORT"},
        {"xinetd", "env", "environment", NULL},
        {"xinetd", "passenv", "pass_environment", NULL},
        {"xinetd", "groups", "supplementary_groups", "the user's own groups are always set"},
        {"xinetd", "rlimit_as", "limit_as", NULL},
        {"xinetd", "rlimit_cpu", "limit_cpu", NULL},
        {"xinetd", "rlimit_data", "limit_data", NULL},
        {"xinetd", "rlimit_stack", "limit_stack", NULL},
        {"xinetd", "rlimit_files", "limit_nofile", NULL},
        {"xinetd", "flags", "tcp_keepalive", "KEEPALIVE; tcp_nodelay is NODELAY, argv0 is NAMEINARGS"},
        {"xinetd", "disable", NULL, "a section that is not there is not served"},
        {"xinetd", "only_from", "allow", "addresses and NETWORK/PREFIX; host names are not looked up"},
        {"xinetd", "no_access", "deny", NULL},
        {"xinetd", "access_times", NULL, firewall},
        {"xinetd", "cps", "rate_limit", "NUMBER/s; no limit closes a service"},
        {"xinetd", "max_load", NULL, "no limit closes a service"},
        {"xinetd", "socket_type", "listen", "udp:ADDRESS:PORT for dgram"},
        {"xinetd", "protocol", "listen", "udp:ADDRESS:PORT for udp"},
        {"xinetd", "wait", NULL, "no is handler_type = inetd; yes is handler_type = listener with listen_fd = 0, accounting = "
                                 "none, scaling = ondemand and max_workers = 1"},
        {"xinetd", "log_type", "log_target", NULL},
        {"xinetd", "log_on_success", "connection_log", "= all"},
        {"xinetd", "log_on_failure", "connection_log", "= refused"},
        {"xinetd", "redirect", "handler", "= redirect ADDRESS:PORT, with handler_type = builtin"},
        {"xinetd", "banner_success", "banner", "= @FILE"},
        {"xinetd", "banner_fail", "full_response", "= @FILE"},
        {"xinetd", "includedir", NULL, "pools.d/*.conf beside the file is always read"},

        {"tcpserver", "port", "listen", "ADDRESS:PORT"},
        {"tcpserver", "host", "listen", "ADDRESS:PORT"},
        {"tcpserver", "c", "max_workers", NULL},
        {"tcpserver", "b", "backlog", NULL},
        {"tcpserver", "u", "user", NULL},
        {"tcpserver", "g", "group", NULL},
        {"tcpserver", "U", "user", "there is no envuidgid: name the user"},
        {"tcpserver", "v", "connection_log", "= all"},
        {"tcpserver", "q", "log_level", "= err"},
        {"tcpserver", "B", "banner", NULL},
        {"tcpserver", "x", "allow", "and deny, which also read lists of text"},
        {"tcpserver", "l", NULL, "names are not looked up"},
        {"tcpserver", "p", NULL, "names are not looked up"},
        {"tcpserver", "r", NULL, "names are not looked up"},
        {"tcpserver", "d", "tcp_nodelay", "= no"},

        {"php-fpm", "pm", "scaling", "dynamic, static, ondemand or adaptive"},
        {"php-fpm", "pm.max_children", "max_workers", NULL},
        {"php-fpm", "pm.start_servers", "start_workers", NULL},
        {"php-fpm", "pm.min_spare_servers", "min_spare_workers", NULL},
        {"php-fpm", "pm.max_spare_servers", "max_spare_workers", NULL},
        {"php-fpm", "pm.max_spawn_rate", NULL, "missing workers are started at once"},
        {"php-fpm", "pm.process_idle_timeout", "spare_timeout", NULL},
        {"php-fpm", "pm.max_requests", "max_requests", NULL},
        {"php-fpm", "pm.status_path", NULL, "a pool whose handler is the builtin status serves /status?json"},
        {"php-fpm", "pm.status_listen", NULL, "a pool whose handler is the builtin status serves /status?json"},
        {"php-fpm", "ping.path", NULL, "a pool whose handler is the builtin status serves /ping"},
        {"php-fpm", "request_terminate_timeout", "request_timeout", NULL},
        {"php-fpm", "slowlog", NULL, "what is slow is in the log"},
        {"php-fpm", "listen.backlog", "backlog", NULL},
        {"php-fpm", "listen.owner", "socket_user", NULL},
        {"php-fpm", "listen.group", "socket_group", NULL},
        {"php-fpm", "listen.mode", "socket_mode", NULL},
        {"php-fpm", "listen.allowed_clients", "allow", NULL},
        {"php-fpm", "process.priority", "nice", NULL},
        {"php-fpm", "process.max", "max_workers_total", "in [preforkd]"},
        {"php-fpm", "process_control_timeout", "shutdown_timeout", "in [preforkd]"},
        {"php-fpm", "emergency_restart_threshold", "restart_delay_min", "pools that fail are delayed"},
        {"php-fpm", "emergency_restart_interval", "restart_delay_max", "pools that fail are delayed"},
        {"php-fpm", "chroot", "root_directory", NULL},
        {"php-fpm", "chdir", "directory", NULL},
        {"php-fpm", "clear_env", "clear_environment", NULL},
        {"php-fpm", "catch_workers_output", "stderr", "= log, as by default"},
        {"php-fpm", "access.log", NULL, "the handler finds the client in REMOTE_ADDR"},
        {"php-fpm", "error_log", "log_target", "in [preforkd]"},
        {"php-fpm", "rlimit_core", "limit_core", NULL},
        {"php-fpm", "daemonize", NULL, "the service manager does that"},
        {"php-fpm", "pid", NULL, unnamed},
        {"php-fpm", "include", NULL, "pools.d/*.conf beside the file is always read"},

        {"Apache", "MaxRequestWorkers", "max_workers", NULL},
        {"Apache", "MaxClients", "max_workers", NULL},
        {"Apache", "ServerLimit", "max_workers", "there is no second limit"},
        {"Apache", "StartServers", "start_workers", NULL},
        {"Apache", "MinSpareServers", "min_spare_workers", NULL},
        {"Apache", "MaxSpareServers", "max_spare_workers", NULL},
        {"Apache", "MaxConnectionsPerChild", "max_requests", NULL},
        {"Apache", "MaxRequestsPerChild", "max_requests", NULL},
        {"Apache", "ListenBacklog", "backlog", NULL},
        {"Apache", "GracefulShutdownTimeout", "shutdown_timeout", "in [preforkd]"},
        {"Apache", "TimeOut", "request_timeout", NULL},
        {"Apache", "AcceptFilter", "defer_accept", NULL},
        {"Apache", "RLimitCPU", "limit_cpu", NULL},
        {"Apache", "RLimitMEM", "limit_as", NULL},
        {"Apache", "RLimitNPROC", "limit_nproc", NULL},
        {"Apache", "SetEnv", "environment", NULL},
        {"Apache", "PassEnv", "pass_environment", NULL},
        {"Apache", "ErrorLog", "log_target", "in [preforkd]"},
        {"Apache", "PidFile", NULL, unnamed},
        {"Apache", "IncludeOptional", NULL, "pools.d/*.conf beside the file is always read"},

        {"systemd", "ListenStream", "listen", NULL},
        {"systemd", "ListenDatagram", "listen", "udp:ADDRESS:PORT or unixgram:PATH"},
        {"systemd", "Accept", "handler_type", "inetd is yes, listener is no"},
        {"systemd", "ExecStart", "handler", NULL},
        {"systemd", "ExecReload", NULL, service},
        {"systemd", "ExecStop", NULL, service},
        {"systemd", "Type", NULL, service},
        {"systemd", "WantedBy", NULL, service},
        {"systemd", "MaxConnections", "max_workers", "and when_full = refuse"},
        {"systemd", "MaxConnectionsPerSource", "max_connections_per_source", NULL},
        {"systemd", "KeepAlive", "tcp_keepalive", NULL},
        {"systemd", "NoDelay", "tcp_nodelay", NULL},
        {"systemd", "DeferAcceptSec", "defer_accept", NULL},
        {"systemd", "BindIPv6Only", "ipv6_only", NULL},
        {"systemd", "FreeBind", "free_bind", NULL},
        {"systemd", "BindToDevice", "bind_to_device", NULL},
        {"systemd", "SocketUser", "socket_user", NULL},
        {"systemd", "SocketGroup", "socket_group", NULL},
        {"systemd", "SocketMode", "socket_mode", NULL},
        {"systemd", "SupplementaryGroups", "supplementary_groups", NULL},
        {"systemd", "WorkingDirectory", "directory", NULL},
        {"systemd", "RootDirectory", "root_directory", NULL},
        {"systemd", "PassEnvironment", "pass_environment", NULL},
        {"systemd", "EnvironmentFile", "environment_file", NULL},
        {"systemd", "StandardError", "stderr", NULL},
        {"systemd", "LogRateLimitBurst", "stderr_rate_limit", "NUMBER/s burst NUMBER"},
        {"systemd", "LogRateLimitIntervalSec", "stderr_rate_limit", "NUMBER/s burst NUMBER"},
        {"systemd", "StandardInput", NULL, "the connection is the handler's stdin and stdout"},
        {"systemd", "StandardOutput", NULL, "the connection is the handler's stdin and stdout"},
        {"systemd", "OOMScoreAdjust", "oom_score_adj", NULL},
        {"systemd", "NoNewPrivileges", "no_new_privileges", NULL},
        {"systemd", "LimitNOFILE", "limit_nofile", NULL},
        {"systemd", "LimitAS", "limit_as", NULL},
        {"systemd", "LimitCORE", "limit_core", NULL},
        {"systemd", "LimitCPU", "limit_cpu", NULL},
        {"systemd", "LimitNPROC", "limit_nproc", NULL},
        {"systemd", "LimitDATA", "limit_data", NULL},
        {"systemd", "LimitSTACK", "limit_stack", NULL},
        {"systemd", "LimitFSIZE", "limit_fsize", NULL},
        {"systemd", "RuntimeMaxSec", "request_timeout", NULL},
        {"systemd", "TimeoutStartSec", "start_timeout", NULL},
        {"systemd", "TimeoutStopSec", "kill_timeout", NULL},
        {"systemd", "RestartSec", "restart_delay_min", NULL},
        {"systemd", "KillSignal", "retire_signal", "for handler_type = listener"},
        {"systemd", "MemoryMax", "max_worker_memory", "a worker with more is replaced; or limit_as, for a handler"},
        {"systemd", "TriggerLimitBurst", NULL, "no limit closes a service"},
};
/* clang-format on */
const size_t foreign_word_count = ELEMENTS(foreign_words);

static int fold(char c)
{
        return c == '-' ? '_' : tolower((unsigned char)c);
}

static bool is_same(const char *a, const char *b)
{
        /* A single letter is an option of a command line, where case counts. */
        if (a[0] != '\0' && a[1] == '\0')
                return text_equal(a, b);
        while (*a != '\0' && fold(*a) == fold(*b)) {
                a++;
                b++;
        }
        return *a == *b;
}

const struct foreign_word *foreign_find(const char *word)
{
        for (size_t i = 0; i < ELEMENTS(foreign_words); i++)
                if (is_same(word, foreign_words[i].word))
                        return &foreign_words[i];
        return NULL;
}

int foreign_describe(const struct foreign_word *word, bool dashes, struct text *text)
{
        bool is_letter = word->word[1] == '\0';
        int r = text_appendf(text, "%s's %s%s ", word->program, is_letter ? "-" : "", word->word);

        if (r == 0 && !word->ours)
                return text_appendf(text, "has no counterpart here: %s", word->advice);
        if (r == 0)
                r = text_append(text, dashes ? "is --" : "is ");
        for (const char *at = word->ours; r == 0 && *at != '\0'; at++)
                r = text_append_bytes(text, dashes && *at == '_' ? "-" : at, 1);
        if (r == 0)
                r = text_append(text, " here");
        return r == 0 && word->advice ? text_appendf(text, " (%s)", word->advice) : r;
}
