/* The status: what the daemon does right now, in numbers; the one structure that every output renders. Pure.
 *
 * master/status_collect fills it in; the report in the log (SIGUSR1), the control socket's `status` and all that come
 * after read it. Strings are borrowed from the master: a status is used within the turn of the loop in which it was
 * collected. Durations are in milliseconds; what workers say of themselves is gossip and shown as it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/scale.h"
#include "logic/policy/worker_life.h"
#include "logic/status/concurrency.h"
#include "logic/status/counters.h"
#include "logic/status/history.h"
#include "logic/status/request_rate.h"
#include "logic/status/request_stats.h"

enum status_pool_state {
        STATUS_POOL_RUNNING,
        STATUS_POOL_SATURATED,     /* at max_workers, and clients wait or are refused */
        STATUS_POOL_DRAINING,      /* serves, but balancers are to send nobody else: by command, or before a stop */
        STATUS_POOL_BACKING_OFF,   /* workers fail to start: none is started for a while */
        STATUS_POOL_NOT_LISTENING, /* no client can reach it: it waits for its addresses */
        STATUS_POOL_PAUSED,        /* by command, until it is resumed */
        STATUS_POOL_CLOSING,       /* removed, or the daemon stops */
        STATUS_POOL_STATE_COUNT
};

struct status_listener {
        const char *address;
        uint32_t queue;   /* connections that wait */
        bool queue_known; /* false: the kernel does not tell; `queue` is 1 if any waits */
        uint32_t backlog; /* the most that may wait */
        bool closing;
        bool listening;    /* clients can connect */
        const char *error; /* why they cannot, for people; NULL: they can */
};

/* What a worker does, in one word: the lifecycle and the activity together. */
enum status_worker_state {
        STATUS_WORKER_LAUNCHING,
        STATUS_WORKER_STARTING,
        STATUS_WORKER_IDLE,
        STATUS_WORKER_BUSY,
        STATUS_WORKER_HOLDING,   /* idle, but for a connection that rate_limit does not let pass yet */
        STATUS_WORKER_UNWATCHED, /* reports nothing */
        STATUS_WORKER_STOPPED,
        STATUS_WORKER_DETACHED,
        STATUS_WORKER_RETIRING,
        STATUS_WORKER_TERMINATING,
        STATUS_WORKER_KILLING,
        STATUS_WORKER_ENDING,
        STATUS_WORKER_KILLED,
        STATUS_WORKER_REFUSING,
        STATUS_WORKER_STATE_COUNT
};

struct status_worker {
        pid_t pid;
        enum status_worker_state state;
        bool busy; /* serves a request, whatever the state */
        uint64_t generation;
        uint64_t age_ms;   /* since its fork */
        uint64_t since_ms; /* how long it has done what it does */
        uint64_t requests;
        uint64_t cpu_ms;        /* with its handlers that have ended */
        uint64_t memory_bytes;  /* resident; 0: unknown */
        uint64_t private_bytes; /* what it has of its own, with its handler; 0: unknown, or not asked of so many */
        bool has_exit;          /* a handler has ended: exit_code, or exit_signal if that is not 0 */
        int exit_code, exit_signal;
};

/* Workers by what they are to the limits. */
struct status_counts {
        unsigned starting, idle, busy, unwatched, detached, retiring;
        unsigned throttled; /* of idle: they hold a connection that rate_limit does not let pass yet */
        unsigned total;     /* against max_workers: the first four */
        unsigned old_total; /* of total, those of an older generation */
};

/* An option that has another value until the next reload, because of `scale`, SIGTTIN or SIGTTOU. */
struct status_overlay {
        const char *option;
        char *configured, *overlaid; /* as a file would write them */
};

/* A process that workers are made of. */
struct status_template {
        pid_t pid;
        const char *state; /* "starting", "ready", "ending" */
        uint64_t generation;
        uint64_t requests;         /* that it has served before */
        uint64_t age_ms, since_ms; /* since its fork; in this state */
        uint64_t cpu_ms;
        uint64_t memory_bytes; /* resident; 0: unknown */
};

/* start_method or copy. */
struct status_choice {
        const char *configured, *used; /* words of the configuration; NULL: the pool has none */
        char *why; /* why auto is not more than `used`; NULL: nothing prevents more, or it is not auto */
};

struct status_pool {
        const char *name;
        enum status_pool_state state;
        bool draining; /* whatever else its state is */
        uint64_t generation;
        const char *handler_type;
        const char *accounting; /* how requests are known: "worker", or the pool's accounting */
        struct status_counts counts;
        unsigned wants;             /* how many workers max_workers_total keeps it from starting for those that wait */
        struct scale_limits limits; /* those that hold, with what is laid over the configured ones */
        bool refuses;               /* when_full = refuse */
        uint64_t max_requests;      /* 0: workers are not recycled for it */
        struct {
                uint64_t level;        /* the highest level of demand that keeps its worker, … */
                uint64_t off_delay_ms; /* … for so long from when it was busy last */
                uint64_t spare;        /* spare workers ahead of demand */
                uint64_t idle_ms;      /* since then */
        } adaptive;                    /* only with that scaling */
        struct {
                uint64_t cpu_us, duration_us; /* what a start costs, on the average of the last; 0: not known */
                uint64_t worker_bytes;        /* what a new worker has of its own */
                uint64_t worth_ms, wait_ms; /* what a start is worth, and a client's wait for one: of an idle worker */
        } starts;
        struct {
                bool limited; /* the pool has a growth_pressure_limit */
                bool held;    /* and is held back by it */
                const char *resource;
                unsigned share, limit; /* of that resource, as read last; in 1/100 of a percent */
        } pressure;
        struct status_choice start_method, copy;
        struct status_template *templates; /* newest first: the one that makes workers, or has ended last */
        size_t template_count;
        struct status_overlay *overlay;
        size_t overlay_count;
        unsigned failures;        /* failed starts in a row */
        uint64_t next_start_ms;   /* backing off: from now */
        unsigned listen_failures; /* attempts to open its addresses in a row */
        uint64_t next_listen_ms;  /* the next of them: from now; 0: none */
        struct counters totals;   /* since the pool was made */
        struct request_rate_value rate;
        double busy_average; /* workers, of late (logic/status/load); 0 where nobody knows what they do */
        struct {
                uint64_t observed_ms; /* for so long, … */
                unsigned busy;        /* … so many workers were busy at once at most, as far as was seen, … */
                unsigned queued;      /* … so many connections waited, … */
                unsigned demand;      /* … and so many were served or waited */
        } peaks;
        struct concurrency concurrency; /* STATUS_WORKERS */
        struct request_durations durations;
        struct request_durations waits;                    /* before requests, as far as they are known */
        struct request_percentiles times, wait_times;      /* of these, from sums that are finer than what is shown */
        struct request_summary requests_each, cpu_ms_each; /* how workers share; STATUS_SPREAD */
        struct status_listener *listeners;
        size_t listener_count;
        struct status_worker *workers; /* STATUS_WORKERS, newest first; one for each thread */
        size_t worker_count;
        size_t workers_left_out;     /* processes beyond STATUS_WORKERS_MAX */
        struct history_row *history; /* STATUS_WORKERS, oldest first */
        size_t history_count;
};

/* The workers of all pools together. */
struct status_total {
        uint64_t max;  /* max_workers_total; 0: there is no such limit, and they are not counted */
        uint64_t used; /* of it, by workers, ending ones included */
};

/* Where records go. */
struct status_log {
        const char *target; /* "journal", "syslog", "stderr" or "file" */
        const char *file;   /* its path; NULL: it is no file */
        pid_t process;      /* the log process; 0: there is none at present */
        const char *error;  /* why the file cannot be written; NULL: it can */
        uint64_t dropped;   /* records that did not get there, since the start of this program */
};

struct status {
        const char *version;
        const char *state; /* "running", "stopping" … */
        pid_t pid;
        uint64_t started_wall_ms, uptime_ms;
        struct status_pool *pools;
        size_t pool_count;
        struct status_counts counts; /* sums over the pools */
        struct counters totals;
        double requests_per_second;
        struct status_total total;
        uint64_t memory_bytes; /* of the machine; 0: not known */
        unsigned cpus;
        struct status_log log;
        bool config_refused;         /* the configuration that was read last: that before it stays */
        uint64_t configured_wall_ms; /* when one was accepted last */
        uint64_t upgrades;           /* of the running daemon */
};

/* How much to collect: bits. STATUS_WORKERS: also the history and the concurrency. */
enum { STATUS_WORKERS = 1, STATUS_SPREAD = 2 };

/* The most workers of a pool that are listed: what a person, a screen and a reply can take. */
#define STATUS_WORKERS_MAX 4096

/* Of at most so many of them it is looked up what memory they have of their own. */
#define STATUS_PRIVATE_MAX 256

/* What decides the state of a pool. */
struct status_pool_context {
        bool closing, paused, draining, backing_off, not_listening, saturated;
};

/* The one that says most, where several hold. */
enum status_pool_state status_pool_state_of(const struct status_pool_context *context);

/* The one word, from the lifecycle and what the worker says. */
enum status_worker_state status_worker_state_of(enum worker_state lifecycle, bool busy, bool refuses, bool stopped);

/* How many more requests a pool could take now: its idle workers, and those that may still be started. */
uint64_t status_pool_available(const struct status *status, const struct status_pool *pool);

/* True if the pool of that index is not the one that its name stands for: a removed pool may close beside a new one. */
bool status_pool_is_shadowed(const struct status *status, size_t index);

/* The pool that the name stands for, the closing one only if there is no other; `name` NULL: the first pool. NULL:
 * there is none. */
const struct status_pool *status_find_pool(const struct status *status, const char *name);

/* "dynamic", "adaptive" …, as in the configuration; and the scaling of that name, or -1. */
const char *status_scaling_name(int scaling);
int status_scaling_find(const char *name);

/* "running", "backing off" …; "idle", "busy" … */
const char *status_pool_state_name(enum status_pool_state state);
const char *status_worker_state_name(enum status_worker_state state);

/* Add a pool's numbers to those of the whole. */
void status_add_up(struct status *status, const struct status_pool *pool);

/* Free what was allocated. */
void status_pool_clear(struct status_pool *pool);
void status_clear(struct status *status);
