/* The configuration as data: plain types, and functions that compute from them.
 *
 * A struct config owns everything below it; zero-initialise, end with config_clear() of config_options.h.
 * config_parse() fills it (one call a file), config_finish() completes it (defaults, rules between keys), everybody
 * else reads it. The table in schema.c says which options exist, with type, range, default and reload effect; its rows
 * store into the fields here. Durations are in milliseconds and sizes in bytes, whatever unit the file used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/address.h"
#include "base/connection_record.h"
#include "base/pressure.h"
#include "base/problem.h"
#include "base/secret_words.h"
#include "base/words.h"
#include "logic/config/handler_files.h"
#include "logic/config/message.h"
#include "logic/config/pool_access.h"

enum log_target_kind { LOG_TARGET_AUTO, LOG_TARGET_JOURNAL, LOG_TARGET_SYSLOG, LOG_TARGET_STDERR, LOG_TARGET_FILE };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_time { LOG_TIME_AUTO, LOG_TIME_YES, LOG_TIME_NO };
enum handler_type { HANDLER_INETD, HANDLER_LISTENER, HANDLER_MODULE, HANDLER_BUILTIN, HANDLER_TYPE_COUNT };
/* More addresses need start_method = exec: LISTENERS_MAX of preload/service. */
#define POOL_COPIED_LISTEN_MAX 128

enum listen_fd { LISTEN_FD_THREE, LISTEN_FD_ZERO };
enum accounting { ACCOUNTING_PRELOAD, ACCOUNTING_API, ACCOUNTING_NONE };
enum retire_signal {
        RETIRE_AUTO,
        RETIRE_TERM,
        RETIRE_RETURN, /* with ACCOUNTING_PRELOAD … */
        RETIRE_EXIT,
        RETIRE_QUIT, /* … and with ACCOUNTING_NONE, all that follow */
        RETIRE_INT,
        RETIRE_HUP,
        RETIRE_USR1,
        RETIRE_USR2, /* none that is ignored by default: one that comes before the program has handlers must end it */
};
/* In the order of what they save. AUTO is none of them: pool_config_start_method() and pool_config_copy() say which. */
enum start_method { START_EXEC, START_FORKSERVER, START_SNAPSHOT, START_AUTO };
enum copy { COPY_FORK, COPY_ROLLBACK, COPY_AUTO };
enum rollback_check { ROLLBACK_CHECK_QUICK, ROLLBACK_CHECK_STRICT };
enum fast_exit { FAST_EXIT_NO, FAST_EXIT_PYTHON };
enum scaling { SCALING_DYNAMIC, SCALING_STATIC, SCALING_ONDEMAND, SCALING_ADAPTIVE };
enum when_full { FULL_QUEUE, FULL_REFUSE };
enum stderr_mode { STDERR_LOG, STDERR_INHERIT, STDERR_NULL, STDERR_SOCKET };

/* The resource limits a handler can be given; limit_resource() names the RLIMIT_ constant. */
enum limit {
        LIMIT_NOFILE,
        LIMIT_AS,
        LIMIT_CORE,
        LIMIT_CPU,
        LIMIT_NPROC,
        LIMIT_DATA,
        LIMIT_STACK,
        LIMIT_FSIZE,
        LIMIT_COUNT
};

struct limit_value {
        bool set; /* false: the handler keeps what preforkd was started with */
        rlim_t soft, hard;
};

/* How often something may happen. */
struct rate {
        uint64_t count, period_ms; /* so often in such a time, in the long run */
        uint64_t burst;            /* so often at once, after a time without */
};

/* How much of the time processes may wait; 0: no limit. */
struct pressure_limits {
        uint64_t percent[PRESSURE_RESOURCE_COUNT];
};

/* So many bits of an address are a source. */
struct source_prefix {
        uint64_t ipv4, ipv6;
};

struct log_target {
        int kind;   /* enum log_target_kind */
        char *path; /* LOG_TARGET_FILE: absolute; else NULL */
};

/* A user or group as it was written. Numbers are known at once; names stay unresolved until
 * master/config/config_accounts has looked them up (logic never does: a look-up can block). */
struct account {
        char *name;    /* NULL: not set */
        bool resolved; /* `id` is valid */
        uint32_t id;
};

struct account_list {
        struct account *items;
        size_t count;
};

/* `systemd:NAME` is a socket that the service manager made. Its address is known only when the socket has been taken
 * over; until then it has a name alone, and its family is AF_UNSPEC. */
struct listen_address {
        struct address address;
        char *text; /* as address_format() writes it, or `systemd:NAME`: the name by which listeners are found */
};

#define LISTEN_SYSTEMD_PREFIX "systemd:"

struct listen_list {
        struct listen_address *items;
        size_t count;
};

/* Where a value was set. line 0: nowhere, the default holds. */
struct origin {
        const char *file; /* owned by config->files; NULL: the command line (line is 1 then) */
        unsigned line;
        bool refused;     /* its value was refused: rules treat it as neither missing nor set */
        bool of_defaults; /* a pool's: the value is that of [defaults] */
};

/* Every option of a pool, in the order of the manual. The schema's table is indexed by it. */
/* clang-format off */
enum pool_option {
        POOL_LISTEN, POOL_BACKLOG, POOL_SOCKET_USER, POOL_SOCKET_GROUP, POOL_SOCKET_MODE, POOL_IPV6_ONLY,
        POOL_FREE_BIND, POOL_BIND_TO_DEVICE, POOL_TCP_NODELAY, POOL_TCP_KEEPALIVE, POOL_DEFER_ACCEPT,
        POOL_HANDLER_TYPE, POOL_HANDLER, POOL_ARGV0, POOL_THREADS_PER_WORKER, POOL_START_METHOD, POOL_COPY, POOL_ROLLBACK_CHECK, POOL_FAST_EXIT, POOL_SNAPSHOT_AFTER, POOL_LISTEN_FD, POOL_ACCOUNTING, POOL_RETIRE_SIGNAL,
        POOL_USER, POOL_GROUP, POOL_SUPPLEMENTARY_GROUPS, POOL_UMASK, POOL_NICE, POOL_DIRECTORY, POOL_ROOT_DIRECTORY,
        POOL_ENVIRONMENT, POOL_ENVIRONMENT_FILE, POOL_PASS_ENVIRONMENT, POOL_CLEAR_ENVIRONMENT, POOL_OOM_SCORE_ADJ, POOL_LIMIT_NOFILE, POOL_LIMIT_AS,
        POOL_LIMIT_CORE, POOL_LIMIT_CPU, POOL_LIMIT_NPROC, POOL_LIMIT_DATA, POOL_LIMIT_STACK, POOL_LIMIT_FSIZE,
        POOL_NO_NEW_PRIVILEGES, POOL_STDERR,
        POOL_STDERR_RATE_LIMIT,
        POOL_SCALING, POOL_MIN_SPARE_WORKERS, POOL_MAX_SPARE_WORKERS, POOL_START_WORKERS, POOL_MAX_WORKERS,
        POOL_SPARE_TIMEOUT, POOL_GROWTH_PRESSURE_LIMIT, POOL_WHEN_FULL, POOL_FULL_RESPONSE, POOL_MAX_CONNECTIONS_PER_SOURCE,
        POOL_RATE_LIMIT, POOL_RATE_LIMIT_PER_SOURCE, POOL_SOURCE_PREFIX, POOL_QUEUE_TIMEOUT,
        POOL_ALLOW, POOL_DENY, POOL_PROXY_PROTOCOL, POOL_BANNER,
        POOL_CONNECTION_LOG, POOL_CONNECTION_LOG_FORMAT,
        POOL_MAX_REQUESTS, POOL_MAX_REQUESTS_JITTER, POOL_MAX_WORKER_AGE, POOL_MAX_WORKER_MEMORY,
        POOL_MAX_RECYCLING, POOL_RELOAD_SURGE,
        POOL_LINGERING_CLOSE, POOL_START_TIMEOUT, POOL_REQUEST_TIMEOUT, POOL_IDLE_TIMEOUT, POOL_REQUEST_SLOWLOG_TIMEOUT, POOL_KILL_TIMEOUT, POOL_DETACH_AFTER, POOL_MAX_DETACHED_WORKERS,
        POOL_RESTART_DELAY_MIN, POOL_RESTART_DELAY_MAX,
        POOL_OPTION_COUNT
};
/* clang-format on */

/* The section with what pools take that do not say otherwise. */
#define CONFIG_DEFAULTS_SECTION "defaults"

/* In the canonical form: keys of a pool that users cannot set. */
#define CONFIG_HANDLER_FILES "handler_files"
#define CONFIG_FILE_VARIABLES "file_variables"
#define CONFIG_ACCESS "access"
#define CONFIG_PROXIES "proxies"
#define CONFIG_FULL_RESPONSE "full_response_text"
#define CONFIG_BANNER "banner_text"
#define CONFIG_DIRECTORY_ID "directory_id"
#define CONFIG_ROOT_DIRECTORY_ID "root_directory_id"

/* Which directory a path leads to; two numbers. */
struct directory_id {
        uint64_t device, inode; /* inode 0: not known */
};

/* What AUTO stands for, by logic/config/choice. Before the choice: the least. */
struct pool_choice {
        int start_method; /* enum start_method, not AUTO */
        int copy;         /* enum copy, not AUTO */
        /* Why not more: "it is statically linked". NULL: it is the most, or there was no choice. */
        char *start_method_why, *copy_why;
};

struct pool_config {
        char *name;
        struct origin section; /* where the pool's section begins */
        struct origin origins[POOL_OPTION_COUNT];

        struct listen_list listen;
        uint64_t backlog;
        struct account socket_user, socket_group;
        mode_t socket_mode;
        bool ipv6_only, free_bind, tcp_nodelay, tcp_keepalive, defer_accept;
        char *bind_to_device; /* NULL: any */

        int handler_type; /* enum handler_type; int, because the schema stores every enum through one type */
        struct words handler;
        char *argv0; /* NULL: the first word of the handler */
        uint64_t threads_per_worker;
        int start_method;        /* enum start_method */
        int copy;                /* enum copy */
        int rollback_check;      /* enum rollback_check */
        int fast_exit;           /* enum fast_exit */
        uint64_t snapshot_after; /* requests; 0: the template is the program as it started */
        int listen_fd;           /* enum listen_fd */
        int accounting;          /* enum accounting */
        int retire_signal;       /* enum retire_signal */

        struct account user, group;
        struct account_list supplementary_groups;
        mode_t umask;
        bool nice_set;
        int64_t nice;
        char *directory, *root_directory; /* root_directory NULL: none */
        /* NAME=VALUE each. Complete when the files of `environment_file` have been read, the variables of
         * `pass_environment` been added, and `user` been resolved. */
        struct secret_words environment;
        struct words environment_file, pass_environment;
        bool clear_environment;
        bool oom_score_adj_set;
        int64_t oom_score_adj;
        struct limit_value limits[LIMIT_COUNT];
        bool no_new_privileges;
        int stderr_mode; /* enum stderr_mode */
        struct rate stderr_rate_limit;

        int scaling; /* enum scaling */
        uint64_t min_spare_workers, max_spare_workers, start_workers, max_workers;
        uint64_t spare_timeout_ms;
        struct pressure_limits growth_pressure_limit;
        int when_full;                                 /* enum when_full */
        struct message full_response;                  /* what refused clients get */
        uint64_t max_connections_per_source;           /* 0: no limit */
        struct rate rate_limit, rate_limit_per_source; /* count 0: no limit */
        struct source_prefix source_prefix;
        uint64_t queue_timeout_ms; /* 0: none */

        struct words allow, deny;  /* as they were written … */
        struct pool_access access; /* … and what they mean, complete after config_finish() */

        struct words proxy_protocol; /* the same for proxies that announce clients */
        struct pool_access proxies;
        struct message banner; /* what clients get before the handler */

        int connection_log;          /* enum connection_log_mode */
        char *connection_log_format; /* NULL: CONNECTION_LINE_DEFAULT */

        uint64_t max_requests; /* 0: never */
        uint64_t max_requests_jitter_percent;
        uint64_t max_worker_age_ms;       /* 0: never */
        uint64_t max_worker_memory_bytes; /* 0: never */
        uint64_t max_recycling;
        uint64_t reload_surge_percent;

        uint64_t lingering_close_ms; /* 0: off */
        uint64_t start_timeout_ms;
        uint64_t request_timeout_ms;         /* 0: none */
        uint64_t idle_timeout_ms;            /* 0: none */
        uint64_t request_slowlog_timeout_ms; /* 0: never */
        uint64_t kill_timeout_ms;
        uint64_t detach_after_ms; /* 0: never */
        uint64_t max_detached_workers;
        uint64_t restart_delay_min_ms, restart_delay_max_ms;

        /* The names of the variables whose values are those of environment_file. */
        struct words file_variables;
        /* What `directory` and `root_directory` led to when the configuration was read: deployments switch links. */
        struct directory_id directory_id, root_directory_id;
        /* What the handler was then, if pool_config_keeps_handler(). */
        struct handler_files handler_files;
        struct pool_choice choice;
};

enum master_option {
        MASTER_CONTROL,
        MASTER_CONTROL_GROUP,
        MASTER_DRAIN_DELAY,
        MASTER_LOG_FORMAT,
        MASTER_LOG_LEVEL,
        MASTER_LOG_TARGET,
        MASTER_LOG_TIME,
        MASTER_MAX_WORKERS_TOTAL,
        MASTER_PARTIAL_START,
        MASTER_SHUTDOWN_TIMEOUT,
        MASTER_OPTION_COUNT
};

/* The default path of the control socket, for preforkd and preforkctl. */
#define CONFIG_CONTROL_DEFAULT "/run/preforkd/control.sock"

struct master_config {
        struct origin origins[MASTER_OPTION_COUNT];
        char *control; /* NULL: no control socket */
        struct account control_group;
        int log_level; /* LOG_… of <syslog.h> */
        struct log_target log_target;
        int log_format;             /* enum log_format */
        int log_time;               /* enum log_time */
        uint64_t max_workers_total; /* of all pools together; 0: no such limit */
        uint64_t drain_delay_ms;
        bool partial_start;
        uint64_t shutdown_timeout_ms;
};

struct config {
        struct master_config master;
        struct pool_config **pools; /* in the order of the files */
        size_t pool_count;
        struct pool_config *defaults; /* what [defaults] sets; NULL: there is no such section */
        char **files;                 /* every file that was read; origins point here */
        size_t file_count;
};

/* What the rules depend on besides the files. */
struct config_context {
        bool is_root;           /* the master runs with uid 0: every pool must name its user */
        uint32_t uid, gid;      /* the master's effective ids */
        bool from_command_line; /* one pool from the command line: problems name --options, not lines */
};

/* Slots of a pool's scoreboard, the upper bound of its processes; equal to PREFORK_SCOREBOARD_SLOTS (tested). */
#define POOL_SLOTS 65536

/* The RLIMIT_ constant of the limit. */
int limit_resource(enum limit limit);

/* The NAME of `systemd:NAME`; NULL: it is an ordinary address. */
const char *listen_address_socket_name(const struct listen_address *listen);

/* True if both name the same endpoint. */
bool listen_address_equal(const struct listen_address *a, const struct listen_address *b);

/* True if both mean the same place. */
bool log_target_equal(const struct log_target *a, const struct log_target *b);

/* The pool of that name, or NULL. */
struct pool_config *config_find_pool(const struct config *config, const char *name);

/* Add an empty pool (everything zero) at the end. NULL: out of memory. */
struct pool_config *config_add_pool(struct config *config, const char *name, struct origin section);

/* The pool that stands for [defaults], which is made when it is asked for first. NULL: out of memory. */
struct pool_config *config_make_defaults(struct config *config, struct origin section);

/* The config's own copy of a file's name, for origins; the same pointer for the same name. NULL: out of memory. */
const char *config_intern_file(struct config *config, const char *file);

/* How workers are told to end: RETIRE_AUTO is resolved. */
enum retire_signal pool_config_retire_signal(const struct pool_config *pool);

/* What is used: never AUTO. */
enum start_method pool_config_start_method(const struct pool_config *pool);
enum copy pool_config_copy(const struct pool_config *pool);

/* The pool serves as root. The account is resolved, or it is not known. */
bool pool_config_is_root(const struct pool_config *pool);

/* The handler is loaded once, and each connection gets a copy of its process. */
bool pool_config_is_copied(const struct pool_config *pool);

/* Workers are made of a template: a process that has loaded the handler, or started it. */
bool pool_config_has_template(const struct pool_config *pool);

/* True if workers go on with the handler that they were started with: a file that is replaced on disk is not executed
 * or loaded by the next connection. */
bool pool_config_keeps_handler(const struct pool_config *pool);

/* Workers have a connection, too, until its handler has ended. */
bool pool_config_holds_connections(const struct pool_config *pool);

/* True if its handlers accept themselves and report nothing. */
bool pool_config_is_unwatched(const struct pool_config *pool);

/* True if code of ours looks at connections before its handlers see them: who may not come in is refused there. */
bool pool_config_is_guarded(const struct pool_config *pool);

/* True for what inetd calls wait: a program that takes the socket over as descriptor 0, started when something waits
 * there, that serves as much as it likes, and ends when it likes. */
bool pool_config_is_wait(const struct pool_config *pool);

/* True if its handler is known by name to need privileges itself, such as sudo, or through programs that it executes,
 * such as sendmail; config_finish() warns of it. */
bool pool_config_needs_privileges(const struct pool_config *pool);

/* True if its handler is the builtin `status`. */
bool pool_config_is_status(const struct pool_config *pool);

/* The pool that its handler, the builtin `agent`, tells of; NULL: it is another handler. */
const char *pool_config_agent_pool(const struct pool_config *pool);

/* True if its workers ask the master (logic/protocol/status_link): those of `status` and `agent`. */
bool pool_config_asks_master(const struct pool_config *pool);

/* The number of the signal that this is; 0: it is none. */
int pool_config_retire_number(const struct pool_config *pool);

/* True if the option has an effect in this pool: socket options need a socket of their kind, thresholds of spare
 * workers a scaling that is not static, and what is about programs that accept themselves such a program. */
bool pool_config_uses(const struct pool_config *pool, enum pool_option option);

/* The slots of each worker: threads_per_worker, at least 1. */
unsigned pool_config_threads(const struct pool_config *pool);

/* How many slots a roll may add before old ones end: reload_surge of max_workers, rounded up to whole workers. */
uint64_t pool_config_surge(const struct pool_config *pool);

/* The arguments that a program is executed with: a list that ends with NULL, for the caller to free(), of words that
 * belong to the configuration. NULL: out of memory. */
char **pool_config_arguments(const struct pool_config *pool);

/* Upper bound of the slots of the pool's processes at one time: max_workers, detached workers, and the replacements
 * that recycling and a roll start early. Saturates at POOL_SLOTS; config_finish() refuses a pool that reaches it. */
uint64_t pool_config_process_limit(const struct pool_config *pool);

/* Take the pool of that name out of the configuration, for the caller to free with pool_config_free(); NULL if there is
 * none. Its origins keep their lines and lose their files, whose names belong to the configuration. */
struct pool_config *config_take_pool(struct config *config, const char *name);
