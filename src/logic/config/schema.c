#include "logic/config/schema.h"

#include <assert.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/text.h"

#define POOL_FIELD(field) .offset = offsetof(struct pool_config, field)
#define MASTER_FIELD(field) .offset = offsetof(struct master_config, field)

/* Bounds that several options share. A year is longer than any useful deadline and keeps sums of times far from
 * overflow; 65,000 leaves slots of a scoreboard for replacements. */
#define DAY_MS (UINT64_C(24) * 3600 * 1000)
#define YEAR_MS (365 * DAY_MS)
#define WORKERS_MAX 65000
#define THREADS_MAX 1024
#define NUMBER_MAX UINT32_MAX
#define MEMORY_MAX (UINT64_C(1) << 50)
#define LIMIT_MAX ((uint64_t)RLIM_INFINITY - 1)

static const struct option_choice handler_types[] = {{"inetd", HANDLER_INETD},
                                                     {"listener", HANDLER_LISTENER},
                                                     {"module", HANDLER_MODULE},
                                                     {"builtin", HANDLER_BUILTIN},
                                                     {0}};
static const struct option_choice listen_fds[] = {{"3", LISTEN_FD_THREE}, {"0", LISTEN_FD_ZERO}, {0}};
static const struct option_choice accountings[] = {
        {"preload", ACCOUNTING_PRELOAD}, {"api", ACCOUNTING_API}, {"none", ACCOUNTING_NONE}, {0}};
static const struct option_choice retire_signals[] = {{"auto", RETIRE_AUTO},     {"TERM", RETIRE_TERM},
                                                      {"return", RETIRE_RETURN}, {"exit", RETIRE_EXIT},
                                                      {"QUIT", RETIRE_QUIT},     {"INT", RETIRE_INT},
                                                      {"HUP", RETIRE_HUP},       {"USR1", RETIRE_USR1},
                                                      {"USR2", RETIRE_USR2},     {0}};
static const struct option_choice start_methods[] = {{"exec", START_EXEC},
                                                     {"forkserver", START_FORKSERVER},
                                                     {"snapshot", START_SNAPSHOT},
                                                     {"auto", START_AUTO},
                                                     {0}};
static const struct option_choice copies[] = {
        {"fork", COPY_FORK}, {"rollback", COPY_ROLLBACK}, {"auto", COPY_AUTO}, {0}};
static const struct option_choice rollback_checks[] = {
        {"quick", ROLLBACK_CHECK_QUICK}, {"strict", ROLLBACK_CHECK_STRICT}, {0}};
static const struct option_choice fast_exits[] = {{"no", FAST_EXIT_NO}, {"python", FAST_EXIT_PYTHON}, {0}};
static const struct option_choice stderr_modes[] = {
        {"log", STDERR_LOG}, {"inherit", STDERR_INHERIT}, {"null", STDERR_NULL}, {"socket", STDERR_SOCKET}, {0}};
static const struct option_choice scalings[] = {{"dynamic", SCALING_DYNAMIC},
                                                {"static", SCALING_STATIC},
                                                {"ondemand", SCALING_ONDEMAND},
                                                {"adaptive", SCALING_ADAPTIVE},
                                                {0}};
static const struct option_choice connection_logs[] = {
        {"no", CONNECTION_LOG_NO}, {"refused", CONNECTION_LOG_REFUSED}, {"all", CONNECTION_LOG_ALL}, {0}};
static const struct option_choice when_fulls[] = {{"queue", FULL_QUEUE}, {"refuse", FULL_REFUSE}, {0}};
/* The words of syslog.conf and, where they differ, of php-fpm and Apache; the first of a value is the one printed. */
static const struct option_choice log_levels[] = {
        {"emerg", LOG_EMERG},     {"alert", LOG_ALERT},   {"crit", LOG_CRIT}, {"err", LOG_ERR},     {"error", LOG_ERR},
        {"warning", LOG_WARNING}, {"notice", LOG_NOTICE}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {0}};
static const struct option_choice log_targets[] = {{"auto", LOG_TARGET_AUTO},
                                                   {"journal", LOG_TARGET_JOURNAL},
                                                   {"syslog", LOG_TARGET_SYSLOG},
                                                   {"stderr", LOG_TARGET_STDERR},
                                                   {0}};
static const struct option_choice log_formats[] = {{"text", LOG_FORMAT_TEXT}, {"json", LOG_FORMAT_JSON}, {0}};
static const struct option_choice log_times[] = {
        {"auto", LOG_TIME_AUTO}, {"yes", LOG_TIME_YES}, {"no", LOG_TIME_NO}, {0}};

/* clang-format off */
const struct option master_options[] = {
        [MASTER_CONTROL] = {"control", OPTION_PATH, MASTER_FIELD(control), CONFIG_CONTROL_DEFAULT, .optional = true,
                .help = "path of the control socket; empty: none"},
        [MASTER_CONTROL_GROUP] = {"control_group", OPTION_ACCOUNT, MASTER_FIELD(control_group), .optional = true,
                .help = "group that may use the control socket, besides root and preforkd's own user"},
        [MASTER_DRAIN_DELAY] = {"drain_delay", OPTION_DURATION, MASTER_FIELD(drain_delay_ms), "0",
                .max = YEAR_MS, .help = "how long to serve on before a stop, while balancers are told to send nobody else"},
        [MASTER_LOG_FORMAT] = {"log_format", OPTION_ENUM, MASTER_FIELD(log_format), "text", .choices = log_formats,
                .help = "how lines are written to stderr and to a file: in words, or as an object of JSON each"},
        [MASTER_LOG_LEVEL] = {"log_level", OPTION_ENUM, MASTER_FIELD(log_level), "info", .choices = log_levels,
                .help = "the lowest level of records that are logged"},
        [MASTER_LOG_TARGET] = {"log_target", OPTION_LOG_TARGET, MASTER_FIELD(log_target), "auto", .choices = log_targets,
                .help = "where records go; auto: the journal if stderr is connected to it, else stderr"},
        [MASTER_LOG_TIME] = {"log_time", OPTION_ENUM, MASTER_FIELD(log_time), "auto", .choices = log_times,
                .help = "lines of the log begin with the time; auto: unless the reader of stderr is the journal"},
        [MASTER_MAX_WORKERS_TOTAL] = {"max_workers_total", OPTION_NUMBER, MASTER_FIELD(max_workers_total), "0",
                .max = 1000000,
                .help = "workers of all pools together, those that end included; 0: only max_workers of each pool"},
        [MASTER_PARTIAL_START] = {"partial_start", OPTION_BOOL, MASTER_FIELD(partial_start), "no",
                .help = "yes: a pool whose address cannot be opened waits for it; no: nothing starts without it"},
        [MASTER_SHUTDOWN_TIMEOUT] = {"shutdown_timeout", OPTION_DURATION, MASTER_FIELD(shutdown_timeout_ms), "30s",
                .max = YEAR_MS, .help = "how long busy workers may finish their requests when preforkd stops"},
};
/* clang-format on */
static_assert(ELEMENTS(master_options) == MASTER_OPTION_COUNT, "a row for every enum master_option");

/* clang-format off */
const struct option pool_options[] = {
        [POOL_LISTEN] = {"listen", OPTION_LISTEN, POOL_FIELD(listen), .no_default = true, .effect = EFFECT_REBIND,
                .help = "addresses to accept connections on (required)"},
        [POOL_BACKLOG] = {"backlog", OPTION_NUMBER, POOL_FIELD(backlog), "511", .min = 1, .max = INT32_MAX,
                .effect = EFFECT_LISTENER,
                .help = "connections that the kernel queues; it cuts this to net.core.somaxconn"},
        [POOL_SOCKET_USER] = {"socket_user", OPTION_ACCOUNT, POOL_FIELD(socket_user), .optional = true,
                .effect = EFFECT_LISTENER, .help = "owner of UNIX sockets; unset: the master's user"},
        [POOL_SOCKET_GROUP] = {"socket_group", OPTION_ACCOUNT, POOL_FIELD(socket_group), .optional = true,
                .effect = EFFECT_LISTENER, .help = "group of UNIX sockets; unset: the master's group"},
        [POOL_SOCKET_MODE] = {"socket_mode", OPTION_MODE, POOL_FIELD(socket_mode), "0660", .max = 0777,
                .effect = EFFECT_LISTENER, .help = "permissions of UNIX sockets"},
        [POOL_IPV6_ONLY] = {"ipv6_only", OPTION_BOOL, POOL_FIELD(ipv6_only), "no", .effect = EFFECT_REBIND,
                .help = "IPv6 sockets refuse IPv4 connections"},
        [POOL_FREE_BIND] = {"free_bind", OPTION_BOOL, POOL_FIELD(free_bind), "no", .effect = EFFECT_LISTENER,
                .help = "listen on addresses that no interface has yet (IP_FREEBIND)"},
        [POOL_BIND_TO_DEVICE] = {"bind_to_device", OPTION_NAME, POOL_FIELD(bind_to_device), .optional = true,
                .effect = EFFECT_REBIND, .help = "only clients that come through this network interface (SO_BINDTODEVICE)"},
        [POOL_TCP_NODELAY] = {"tcp_nodelay", OPTION_BOOL, POOL_FIELD(tcp_nodelay), "no", .effect = EFFECT_LISTENER,
                .help = "send small segments at once (TCP_NODELAY)"},
        [POOL_TCP_KEEPALIVE] = {"tcp_keepalive", OPTION_BOOL, POOL_FIELD(tcp_keepalive), "no",
                .effect = EFFECT_LISTENER, .help = "probe silent peers (SO_KEEPALIVE)"},
        [POOL_DEFER_ACCEPT] = {"defer_accept", OPTION_BOOL, POOL_FIELD(defer_accept), "no", .effect = EFFECT_LISTENER,
                .help = "wake a worker only when the client has sent data (TCP_DEFER_ACCEPT)"},

        [POOL_HANDLER_TYPE] = {"handler_type", OPTION_ENUM, POOL_FIELD(handler_type), "inetd",
                .choices = handler_types, .effect = EFFECT_ROLL,
                .help = "inetd: a program on stdin and stdout; listener: it accepts itself; module: loaded; builtin: preforkd's own"},
        [POOL_HANDLER] = {"handler", OPTION_WORDS, POOL_FIELD(handler), .no_default = true, .effect = EFFECT_ROLL,
                .help = "the program, module or builtin that serves connections, and its arguments (required)"},
        [POOL_ARGV0] = {"argv0", OPTION_NAME, POOL_FIELD(argv0), .no_default = true, .optional = true, .effect = EFFECT_ROLL,
                .help = "what the handler sees as its own name; unset: the program as handler has it"},
        [POOL_THREADS_PER_WORKER] = {"threads_per_worker", OPTION_NUMBER, POOL_FIELD(threads_per_worker), "1", .min = 1,
                .max = THREADS_MAX, .effect = EFFECT_ROLL,
                .help = "connections that a worker serves at once, each in a thread; the module must be thread-safe"},
        [POOL_START_METHOD] = {"start_method", OPTION_ENUM, POOL_FIELD(start_method), "exec",
                .choices = start_methods, .effect = EFFECT_ROLL, .help = "exec: execute the handler for each connection; forkserver: load it once; snapshot: start it once; auto: the most of these that it can"},
        [POOL_COPY] = {"copy", OPTION_ENUM, POOL_FIELD(copy), "fork",
                .choices = copies, .effect = EFFECT_ROLL, .help = "how a connection gets its copy of the handler: fork, or rollback of the memory; auto: rollback if it can"},
        [POOL_ROLLBACK_CHECK] = {"rollback_check", OPTION_ENUM, POOL_FIELD(rollback_check), "quick",
                .choices = rollback_checks, .effect = EFFECT_ROLL, .help = "what copy = rollback looks at after each connection: quick or strict"},
        [POOL_FAST_EXIT] = {"fast_exit", OPTION_ENUM, POOL_FIELD(fast_exit), "no",
                .choices = fast_exits, .effect = EFFECT_ROLL, .help = "python: a handler that is loaded once ends without freeing its objects"},
        [POOL_SNAPSHOT_AFTER] = {"snapshot_after", OPTION_NUMBER, POOL_FIELD(snapshot_after), "0", .max = NUMBER_MAX,
                .effect = EFFECT_ROLL,
                .help = "a listener's worker that has served so many requests becomes the template of all; 0: the program as it started"},
        [POOL_LISTEN_FD] = {"listen_fd", OPTION_ENUM, POOL_FIELD(listen_fd), "3", .choices = listen_fds,
                .effect = EFFECT_ROLL, .help = "the descriptor on which a listener gets its (first) socket"},
        [POOL_ACCOUNTING] = {"accounting", OPTION_ENUM, POOL_FIELD(accounting), "preload",
                .choices = accountings, .effect = EFFECT_ROLL,
                .help = "how a listener's activity is known; preload: a loaded object sees it; api: it reports; none: it is not"},
        [POOL_RETIRE_SIGNAL] = {"retire_signal", OPTION_ENUM, POOL_FIELD(retire_signal), "auto",
                .choices = retire_signals, .effect = EFFECT_ROLL,
                .help = "how a listener is ended: by a signal; with preload also: accept fails, or exit"},

        [POOL_USER] = {"user", OPTION_ACCOUNT, POOL_FIELD(user), .optional = true, .effect = EFFECT_ROLL,
                .help = "the user that workers run as; required when preforkd runs as root"},
        [POOL_GROUP] = {"group", OPTION_ACCOUNT, POOL_FIELD(group), .optional = true, .effect = EFFECT_ROLL,
                .help = "the group that workers run as; unset: the user's primary group"},
        [POOL_SUPPLEMENTARY_GROUPS] = {"supplementary_groups", OPTION_ACCOUNT_LIST, POOL_FIELD(supplementary_groups),
                .optional = true, .effect = EFFECT_ROLL,
                .help = "groups in addition to those that the user is a member of"},
        [POOL_UMASK] = {"umask", OPTION_MODE, POOL_FIELD(umask), "0022", .max = 0777, .effect = EFFECT_ROLL,
                .help = "permissions that are removed from new files"},
        [POOL_NICE] = {"nice", OPTION_SIGNED, POOL_FIELD(nice), .min = (uint64_t)-20, .max = 19, .optional = true,
                .set_offset = offsetof(struct pool_config, nice_set), .effect = EFFECT_ROLL,
                .help = "scheduling priority, -20 is the highest; unset: preforkd's own"},
        [POOL_DIRECTORY] = {"directory", OPTION_PATH, POOL_FIELD(directory), "/", .effect = EFFECT_ROLL,
                .help = "working directory, inside root_directory"},
        [POOL_ROOT_DIRECTORY] = {"root_directory", OPTION_PATH, POOL_FIELD(root_directory), .optional = true,
                .effect = EFFECT_ROLL, .help = "the directory that workers see as / (chroot)"},
        [POOL_ENVIRONMENT] = {"environment", OPTION_ENVIRONMENT, POOL_FIELD(environment), .optional = true,
                .effect = EFFECT_ROLL, .help = "variables of the handler's environment"},
        [POOL_ENVIRONMENT_FILE] = {"environment_file", OPTION_FILES, POOL_FIELD(environment_file), .optional = true,
                .effect = EFFECT_ROLL, .help = "files with more variables, which replace those of environment"},
        [POOL_PASS_ENVIRONMENT] = {"pass_environment", OPTION_VARIABLE_NAMES, POOL_FIELD(pass_environment),
                .optional = true, .effect = EFFECT_ROLL,
                .help = "variables of preforkd's own environment that handlers get"},
        [POOL_CLEAR_ENVIRONMENT] = {"clear_environment", OPTION_BOOL, POOL_FIELD(clear_environment), "yes",
                .effect = EFFECT_ROLL, .help = "no: handlers also get preforkd's own environment"},
        [POOL_OOM_SCORE_ADJ] = {"oom_score_adj", OPTION_SIGNED, POOL_FIELD(oom_score_adj), .min = (uint64_t)-1000,
                .max = 1000, .optional = true, .set_offset = offsetof(struct pool_config, oom_score_adj_set),
                .effect = EFFECT_ROLL, .help = "how strongly the kernel prefers to kill workers when memory runs out"},
        [POOL_LIMIT_NOFILE] = {"limit_nofile", OPTION_LIMIT, POOL_FIELD(limits[LIMIT_NOFILE]), .min = 3,
                .max = LIMIT_MAX, .optional = true, .effect = EFFECT_ROLL, .help = "open files of a handler"},
        [POOL_LIMIT_AS] = {"limit_as", OPTION_LIMIT_SIZE, POOL_FIELD(limits[LIMIT_AS]), .max = LIMIT_MAX,
                .optional = true, .effect = EFFECT_ROLL, .help = "address space of a handler"},
        [POOL_LIMIT_CORE] = {"limit_core", OPTION_LIMIT_SIZE, POOL_FIELD(limits[LIMIT_CORE]), .max = LIMIT_MAX,
                .optional = true, .effect = EFFECT_ROLL, .help = "size of a handler's core dump"},
        [POOL_LIMIT_CPU] = {"limit_cpu", OPTION_LIMIT, POOL_FIELD(limits[LIMIT_CPU]), .min = 1, .max = LIMIT_MAX,
                .optional = true, .effect = EFFECT_ROLL, .help = "seconds of CPU time of a handler"},
        [POOL_LIMIT_NPROC] = {"limit_nproc", OPTION_LIMIT, POOL_FIELD(limits[LIMIT_NPROC]), .max = LIMIT_MAX,
                .optional = true, .effect = EFFECT_ROLL, .help = "processes of the handler's user"},
        [POOL_LIMIT_DATA] = {"limit_data", OPTION_LIMIT_SIZE, POOL_FIELD(limits[LIMIT_DATA]), .max = LIMIT_MAX,
                .optional = true, .effect = EFFECT_ROLL, .help = "private writable memory of a handler"},
        [POOL_LIMIT_STACK] = {"limit_stack", OPTION_LIMIT_SIZE, POOL_FIELD(limits[LIMIT_STACK]), .max = LIMIT_MAX,
                .optional = true, .effect = EFFECT_ROLL, .help = "stack of a handler"},
        [POOL_LIMIT_FSIZE] = {"limit_fsize", OPTION_LIMIT_SIZE, POOL_FIELD(limits[LIMIT_FSIZE]), .max = LIMIT_MAX,
                .optional = true, .effect = EFFECT_ROLL, .help = "size of files that a handler writes"},
        [POOL_NO_NEW_PRIVILEGES] = {"no_new_privileges", OPTION_BOOL, POOL_FIELD(no_new_privileges), "yes",
                .effect = EFFECT_ROLL,
                .help = "setuid programs (sendmail, sudo) gain no privileges when a handler executes them"},
        [POOL_STDERR] = {"stderr", OPTION_ENUM, POOL_FIELD(stderr_mode), "log", .choices = stderr_modes,
                .effect = EFFECT_ROLL, .help = "where a handler's stderr goes"},
        [POOL_STDERR_RATE_LIMIT] = {"stderr_rate_limit", OPTION_RATE, POOL_FIELD(stderr_rate_limit),
                "1000/s burst 5000", .min = 1, .max = 1000000,
                .help = "how many lines of its handlers' stderr a pool may log; the rest is dropped"},

        [POOL_SCALING] = {"scaling", OPTION_ENUM, POOL_FIELD(scaling), "dynamic", .choices = scalings,
                .help = "static: all max_workers; ondemand: none until a connection waits; adaptive: as many as pay"},
        [POOL_MIN_SPARE_WORKERS] = {"min_spare_workers", OPTION_NUMBER, POOL_FIELD(min_spare_workers), "1",
                .max = WORKERS_MAX, .help = "workers are started when fewer than this are idle or starting"},
        [POOL_MAX_SPARE_WORKERS] = {"max_spare_workers", OPTION_NUMBER, POOL_FIELD(max_spare_workers), "8",
                .max = WORKERS_MAX, .help = "workers are retired when more than this stay idle for spare_timeout"},
        [POOL_START_WORKERS] = {"start_workers", OPTION_NUMBER, POOL_FIELD(start_workers), .max = WORKERS_MAX,
                .help = "workers at the start; unset: halfway between the two above"},
        [POOL_MAX_WORKERS] = {"max_workers", OPTION_NUMBER, POOL_FIELD(max_workers), "64", .min = 1,
                .max = WORKERS_MAX, .help = "maximum number of workers"},
        [POOL_SPARE_TIMEOUT] = {"spare_timeout", OPTION_DURATION, POOL_FIELD(spare_timeout_ms), "10s", .min = 1,
                .max = YEAR_MS, .help = "how long a surplus of idle workers must last before it is retired"},
        [POOL_GROWTH_PRESSURE_LIMIT] = {"growth_pressure_limit", OPTION_PRESSURE, POOL_FIELD(growth_pressure_limit),
                .min = 1, .max = 99, .optional = true,
                .help = "the pool does not grow while processes wait for cpu or memory more of the time; unset: no limit"},
        [POOL_WHEN_FULL] = {"when_full", OPTION_ENUM, POOL_FIELD(when_full), "queue", .choices = when_fulls,
                .help = "at max_workers, connections wait in the backlog, or are closed unserved"},
        [POOL_FULL_RESPONSE] = {"full_response", OPTION_MESSAGE, POOL_FIELD(full_response), .optional = true,
                .effect = EFFECT_ROLL, .help = "what clients get that are refused, before the end of their connection"},
        [POOL_MAX_CONNECTIONS_PER_SOURCE] = {"max_connections_per_source", OPTION_NUMBER,
                POOL_FIELD(max_connections_per_source), "0", .max = WORKERS_MAX,
                .help = "maximum number of connections of one source; 0: no limit"},
        [POOL_RATE_LIMIT] = {"rate_limit", OPTION_RATE, POOL_FIELD(rate_limit), .min = 1, .max = 1000000,
                .optional = true, .help = "how many connections the pool serves in a time; more wait; unset: no limit"},
        [POOL_RATE_LIMIT_PER_SOURCE] = {"rate_limit_per_source", OPTION_RATE, POOL_FIELD(rate_limit_per_source),
                .min = 1, .max = 1000000, .optional = true,
                .help = "how many connections of one source are served in a time; more are refused; unset: no limit"},
        [POOL_SOURCE_PREFIX] = {"source_prefix", OPTION_PREFIXES, POOL_FIELD(source_prefix), "32/64",
                .help = "by how much of their IPv4 and IPv6 address clients are one source"},
        [POOL_QUEUE_TIMEOUT] = {"queue_timeout", OPTION_DURATION, POOL_FIELD(queue_timeout_ms), "0", .max = DAY_MS,
                .help = "a connection that has waited longer for a worker is refused; 0: none is"},
        [POOL_ALLOW] = {"allow", OPTION_CLIENTS, POOL_FIELD(allow), .optional = true, .effect = EFFECT_ROLL,
                .help = "networks, addresses, users and lists of such that may connect; unset: all but those of deny"},
        [POOL_DENY] = {"deny", OPTION_CLIENTS, POOL_FIELD(deny), .optional = true, .effect = EFFECT_ROLL,
                .help = "networks, addresses, users and lists of such that may not connect"},
        [POOL_PROXY_PROTOCOL] = {"proxy_protocol", OPTION_CLIENTS, POOL_FIELD(proxy_protocol), .optional = true,
                .effect = EFFECT_ROLL,
                .help = "proxies, as clients in allow, that announce their clients by a PROXY header, and must"},
        [POOL_BANNER] = {"banner", OPTION_MESSAGE, POOL_FIELD(banner), .optional = true, .effect = EFFECT_ROLL,
                .help = "what clients get that are served, before the handler has their connection"},

        [POOL_CONNECTION_LOG] = {"connection_log", OPTION_ENUM, POOL_FIELD(connection_log), "no",
                .choices = connection_logs, .effect = EFFECT_ROLL,
                .help = "one record for each connection when it has ended, or for those that are refused alone"},
        [POOL_CONNECTION_LOG_FORMAT] = {"connection_log_format", OPTION_LINE_FORMAT, POOL_FIELD(connection_log_format),
                .optional = true, .effect = EFFECT_ROLL, .help = "the line of that record; unset: KEY=VALUE, all that is known"},

        [POOL_MAX_REQUESTS] = {"max_requests", OPTION_NUMBER, POOL_FIELD(max_requests), "0", .max = NUMBER_MAX,
                .help = "a worker is replaced after this many requests; 0: never"},
        [POOL_MAX_REQUESTS_JITTER] = {"max_requests_jitter", OPTION_PERCENT, POOL_FIELD(max_requests_jitter_percent),
                "10%", .max = 100, .help = "random deviation from max_requests, so that workers do not end together"},
        [POOL_MAX_WORKER_AGE] = {"max_worker_age", OPTION_DURATION, POOL_FIELD(max_worker_age_ms), "0",
                .max = YEAR_MS, .help = "a worker older than this is replaced; 0: never"},
        [POOL_MAX_WORKER_MEMORY] = {"max_worker_memory", OPTION_SIZE, POOL_FIELD(max_worker_memory_bytes), "0",
                .max = MEMORY_MAX, .help = "a worker with more resident memory than this is replaced; 0: never"},
        [POOL_MAX_RECYCLING] = {"max_recycling", OPTION_NUMBER, POOL_FIELD(max_recycling), "2", .min = 1,
                .max = WORKERS_MAX, .help = "how many workers may be recycled at one time"},
        [POOL_RELOAD_SURGE] = {"reload_surge", OPTION_PERCENT, POOL_FIELD(reload_surge_percent), "25%", .min = 1,
                .max = 100, .help = "share of max_workers that a reload may start before it retires old workers"},

        [POOL_LINGERING_CLOSE] = {"lingering_close", OPTION_DURATION, POOL_FIELD(lingering_close_ms), "0",
                .max = YEAR_MS, .effect = EFFECT_ROLL,
                .help = "how long a client may go on sending when its handler has ended, so that it gets the end; 0: not at all"},
        [POOL_START_TIMEOUT] = {"start_timeout", OPTION_DURATION, POOL_FIELD(start_timeout_ms), "10s", .min = 1,
                .max = YEAR_MS, .help = "a worker that is not ready within this time is killed"},
        [POOL_REQUEST_TIMEOUT] = {"request_timeout", OPTION_DURATION, POOL_FIELD(request_timeout_ms), "0",
                .max = YEAR_MS, .help = "a request that runs longer is ended by SIGTERM; 0: never"},
        [POOL_IDLE_TIMEOUT] = {"idle_timeout", OPTION_DURATION, POOL_FIELD(idle_timeout_ms), "0", .max = YEAR_MS,
                .effect = EFFECT_ROLL,
                .help = "a request on whose connection nothing has gone for so long is ended by SIGTERM; 0: never"},
        [POOL_REQUEST_SLOWLOG_TIMEOUT] = {"request_slowlog_timeout", OPTION_DURATION,
                POOL_FIELD(request_slowlog_timeout_ms), "0", .max = YEAR_MS,
                .help = "what a request that runs longer is doing is logged once; 0: never"},
        [POOL_KILL_TIMEOUT] = {"kill_timeout", OPTION_DURATION, POOL_FIELD(kill_timeout_ms), "5s", .max = YEAR_MS,
                .help = "time from SIGTERM to SIGKILL"},
        [POOL_DETACH_AFTER] = {"detach_after", OPTION_DURATION, POOL_FIELD(detach_after_ms), "0", .max = YEAR_MS,
                .help = "a request that runs longer stops counting against max_workers; 0: never"},
        [POOL_MAX_DETACHED_WORKERS] = {"max_detached_workers", OPTION_NUMBER, POOL_FIELD(max_detached_workers), "16",
                .max = WORKERS_MAX,
                .help = "maximum number of workers that do not count against max_workers (detach_after)"},
        [POOL_RESTART_DELAY_MIN] = {"restart_delay_min", OPTION_DURATION, POOL_FIELD(restart_delay_min_ms), "100ms",
                .min = 1, .max = YEAR_MS, .help = "the first delay when workers fail to start; doubled each time"},
        [POOL_RESTART_DELAY_MAX] = {"restart_delay_max", OPTION_DURATION, POOL_FIELD(restart_delay_max_ms), "30s",
                .min = 1, .max = YEAR_MS, .help = "the longest delay when workers fail to start"},
};
/* clang-format on */
static_assert(ELEMENTS(pool_options) == POOL_OPTION_COUNT, "a row for every enum pool_option");

static const char *const type_names[] = {
        [OPTION_BOOL] = "yes/no",
        [OPTION_NUMBER] = "number",
        [OPTION_SIGNED] = "number",
        [OPTION_MODE] = "mode",
        [OPTION_DURATION] = "duration",
        [OPTION_SIZE] = "size",
        [OPTION_PERCENT] = "percentage",
        [OPTION_ENUM] = "word",
        [OPTION_PATH] = "path",
        [OPTION_NAME] = "name",
        [OPTION_LINE_FORMAT] = "format",
        [OPTION_WORDS] = "command",
        [OPTION_ENVIRONMENT] = "variables",
        [OPTION_VARIABLE_NAMES] = "names",
        [OPTION_FILES] = "files",
        [OPTION_LISTEN] = "addresses",
        [OPTION_ACCOUNT] = "account",
        [OPTION_ACCOUNT_LIST] = "accounts",
        [OPTION_LIMIT] = "limit",
        [OPTION_LIMIT_SIZE] = "limit",
        [OPTION_LOG_TARGET] = "target",
        [OPTION_RATE] = "rate",
        [OPTION_CLIENTS] = "clients",
        [OPTION_MESSAGE] = "text",
        [OPTION_PREFIXES] = "prefix lengths",
        [OPTION_PRESSURE] = "limits",
};
static_assert(ELEMENTS(type_names) == OPTION_TYPE_COUNT, "a name for every enum option_type");

const char *option_type_name(enum option_type type)
{
        return type_names[type];
}

const char *reload_effect_name(enum reload_effect effect)
{
        static const char *const names[] = {
                [EFFECT_IN_PLACE] = "applies in place",
                [EFFECT_LISTENER] = "applies to the open sockets",
                [EFFECT_ROLL] = "replaces the workers",
                [EFFECT_REBIND] = "reopens the sockets",
        };

        return names[effect];
}

static int find(const struct option *options, int count, const char *name)
{
        for (int i = 0; i < count; i++)
                if (text_equal(options[i].name, name))
                        return i;
        return -1;
}

int pool_option_find(const char *name)
{
        return find(pool_options, POOL_OPTION_COUNT, name);
}

int master_option_find(const char *name)
{
        return find(master_options, MASTER_OPTION_COUNT, name);
}
