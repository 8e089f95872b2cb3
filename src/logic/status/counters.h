/* The counters of a pool: THE table, from which the structure, its sums over workers and pools, the status, the report
 * in the log, the hand-over to another program and the manual are made. Pure.
 *
 * Adding a counter is adding a line to COUNTERS; one that workers count also needs its word in the slot. master/pool
 * counts and adds up; everything else walks counter_table. What slots say is gossip: logic/status/tally decides what of
 * it is believed, by the unit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prefork_scoreboard;
struct prefork_slot;

/* How a counter is held, which is not always how it is shown. */
enum counter_unit {
        COUNTER_NUMBER,      /* of a worker: less than one a microsecond */
        COUNTER_OF_REQUESTS, /* a number, of a worker at most one for each request */
        COUNTER_MS,          /* not of a worker */
        COUNTER_NS,          /* shown in ms; of a worker at most its age */
        COUNTER_US,          /* shown in ms; of a worker at most its age, for each processor */
        COUNTER_UNIT_COUNT
};

/* X(member, shown as, unit, the slot's word, the board's word, in the report, metric, label, what it counts)
 *
 * `shown as` is the name in the status, `member` that in the hand-over; neither ever changes its meaning. A counter
 * that workers keep names its word by OF(); the others NONE. In the report: the words after the number; NULL: it is not
 * in the report. The metric is preforkd_pool_… (…_total), with the value of its label or NULL; its help is what it
 * counts, or, with a label, of logic/status/metrics. A counter that others are a part of, or that a histogram has, is
 * NULL. What it counts is a line of preforkd-control(7): at most 79 bytes of plain text. */
/* clang-format off */
#define COUNTERS(X)                                                                                                    \
        X(forked, "forked", COUNTER_NUMBER, NONE, NONE, "forked", NULL, NULL,                                          \
          "workers started")                                                                                           \
        X(forked_scale, "forked_scale", COUNTER_NUMBER, NONE, NONE, NULL, "worker_starts", "scale",                    \
          "of forked, those that demand or the minimum has asked for")                                                 \
        X(forked_roll, "forked_roll", COUNTER_NUMBER, NONE, NONE, NULL, "worker_starts", "roll",                       \
          "of forked, those that replace workers of an older generation")                                              \
        X(forked_recycle, "forked_recycle", COUNTER_NUMBER, NONE, NONE, NULL, "worker_starts", "recycle",              \
          "of forked, those that replace a worker that is recycled")                                                   \
        X(forked_drain, "forked_drain", COUNTER_NUMBER, NONE, NONE, NULL, "worker_starts", "drain",                    \
          "of forked, helpers that serve what waits at listeners that close")                                          \
        X(forked_refuse, "forked_refuse", COUNTER_NUMBER, NONE, NONE, NULL, "worker_starts", "refuse",                 \
          "of forked, processes that refuse connections (when_full = refuse)")                                         \
        X(retired, "retired", COUNTER_NUMBER, NONE, NONE, "retired", "worker_retirements", NULL,                       \
          "workers asked to end")                                                                                      \
        X(ended, "ended", COUNTER_NUMBER, NONE, NONE, NULL, "worker_exits", "retired",                                 \
          "workers that ended as agreed, and were not recycled")                                                       \
        X(recycled, "recycled", COUNTER_NUMBER, NONE, NONE, "recycled", "worker_exits", "recycled",                    \
          "workers replaced for their number of requests, age or memory")                                              \
        X(died, "died", COUNTER_NUMBER, NONE, NONE, "died", "worker_exits", "died",                                    \
          "workers that ended unexpectedly")                                                                           \
        X(start_failures, "start_failures", COUNTER_NUMBER, NONE, NONE, "failed starts", "worker_start_failures", NULL,\
          "workers that could not be started, or ended before they could serve")                                       \
        X(saturations, "saturations", COUNTER_NUMBER, NONE, NONE, "saturations", "saturations", NULL,                  \
          "how often clients waited or were refused at max_workers")                                                   \
        X(saturated_ms, "saturated_ms", COUNTER_MS, NONE, NONE, NULL, "saturated_seconds", NULL,                       \
          "how long clients have waited or been refused at max_workers")                                               \
        X(request_timeouts, "request_timeouts", COUNTER_NUMBER, NONE, NONE, "request timeouts", "request_timeouts", NULL,\
          "requests ended because they took longer than request_timeout")                                              \
        X(idle_timeouts, "idle_timeouts", COUNTER_OF_REQUESTS, OF(idle_timeouts), NONE, "idle timeouts", "idle_timeouts", NULL,\
          "requests ended because no byte went either way for idle_timeout")                                           \
        X(slow, "slow", COUNTER_NUMBER, NONE, NONE, "slow", "requests_slow", NULL,                                     \
          "requests that were logged for request_slowlog_timeout")                                                     \
        X(detached, "detached", COUNTER_NUMBER, NONE, NONE, "detached", "requests_detached", NULL,                     \
          "requests that took longer than detach_after and left max_workers")                                          \
        X(aborted, "aborted", COUNTER_NUMBER, NONE, NONE, "aborted", "requests_aborted", NULL,                         \
          "requests ended by an immediate stop, shutdown_timeout or kill-worker")                                      \
        X(refused, "refused", COUNTER_NUMBER, OF(refused) + OF(refused_access) + OF(refused_proxy) + OF(refused_rate) + OF(refused_wait) + OF(refused_banner), OF(refused), "refused", NULL, NULL,\
          "connections closed unserved; they are not requests")                                                        \
        X(refused_full, "refused_full", COUNTER_NUMBER, NONE, OF(refused), NULL, "requests_refused", "full",           \
          "of refused, those for when_full = refuse")                                                                  \
        X(refused_source, "refused_source", COUNTER_NUMBER, OF(refused), NONE, "of them by source", "requests_refused", "source",\
          "of refused, those for max_connections_per_source")                                                          \
        X(refused_access, "refused_access", COUNTER_NUMBER, OF(refused_access), NONE, "of them by access rules", "requests_refused", "access",\
          "of refused, those for allow and deny")                                                                      \
        X(refused_proxy, "refused_proxy", COUNTER_NUMBER, OF(refused_proxy), NONE, "of them by PROXY header", "requests_refused", "proxy",\
          "of refused, those of proxies without a good PROXY header")                                                  \
        X(refused_rate, "refused_rate", COUNTER_NUMBER, OF(refused_rate), NONE, "of them by rate", "requests_refused", "rate",\
          "of refused, those for rate_limit_per_source")                                                               \
        X(throttled, "throttled", COUNTER_NUMBER, OF(throttled), NONE, "throttled", "requests_throttled", NULL,        \
          "connections that were held because of rate_limit")                                                          \
        X(refused_wait, "refused_wait", COUNTER_NUMBER, OF(refused_wait), NONE, "of them by their wait", "requests_refused", "wait",\
          "of refused, those for queue_timeout")                                                                       \
        X(refused_banner, "refused_banner", COUNTER_NUMBER, OF(refused_banner), NONE, "of them by the banner", "requests_refused", "banner",\
          "of refused, those whose client did not read the banner")                                                    \
        X(requests, "requests", COUNTER_NUMBER, OF(requests_ended), NONE, "requests", "requests", NULL,                \
          "requests that have ended")                                                                                  \
        X(busy_ns, "busy_ms", COUNTER_NS, OF(busy_ns), NONE, NULL, NULL, NULL,                                         \
          "the duration of all requests together")                                                                     \
        X(handler_cpu_us, "handler_cpu_ms", COUNTER_US, OF(handler_cpu_us), NONE, NULL, "handler_cpu_seconds", NULL,   \
          "the CPU time of handlers that have ended")                                                                  \
        X(handler_deaths, "handler_deaths", COUNTER_OF_REQUESTS, OF(handler_deaths), NONE, NULL, "handler_exits", "killed",\
          "handlers that a signal killed")                                                                             \
        X(handler_crashes, "handler_crashes", COUNTER_OF_REQUESTS, OF(handler_crashes), NONE, NULL, "handler_crashes", NULL,\
          "of handler_deaths, those by a fault: SEGV, ABRT, BUS, ILL, FPE, SYS, TRAP")                                 \
        X(handler_failures, "handler_failures", COUNTER_OF_REQUESTS, OF(handler_failures), NONE, "failed handlers", "handler_exits", "failed",\
          "handlers that exited with a code other than 0, or could not serve")                                         \
        X(lost, "lost", COUNTER_OF_REQUESTS, OF(lost), NONE, "lost", "requests_lost", NULL,                            \
          "requests whose connection was closed for want of processes or memory")
/* clang-format on */

#define COUNTER_MEMBER(member, ...) uint64_t member;
struct counters {
        COUNTERS(COUNTER_MEMBER)
};
#undef COUNTER_MEMBER

#define COUNTER_ID(member, ...) COUNTER_##member,
enum counter_id { COUNTERS(COUNTER_ID) COUNTER_COUNT };
#undef COUNTER_ID

/* One row of the table. */
struct counter {
        const char *name; /* as it is shown */
        enum counter_unit unit;
        const char *label;  /* in the report; NULL: not in it */
        const char *metric; /* without preforkd_pool_ and _total; NULL: none of its own */
        const char *value;  /* of the metric's label; NULL: it has none */
        const char *help;
};

extern const struct counter counter_table[COUNTER_COUNT];

/* One of them, as it is held: to be read, or written by the hand-over. */
uint64_t *counter_of(struct counters *counters, enum counter_id id);
const uint64_t *counter_of_const(const struct counters *counters, enum counter_id id);

/* One of them, in the unit in which it is shown. */
uint64_t counter_shown(const struct counters *counters, enum counter_id id);

/* Set one of them to what was shown: counter_shown() gives the same. */
void counter_take_shown(struct counters *counters, enum counter_id id, uint64_t shown);

/* True if it is shown in milliseconds. */
bool counter_is_time(enum counter_id id);

/* Add all of `more`. */
void counters_add(struct counters *sum, const struct counters *more);

/* Read what a slot counts of its worker's life, or what the board counts of processes without a slot; the others are
 * 0. */
void counters_read_slot(struct counters *ret, const struct prefork_slot *slot);
void counters_read_board(struct counters *ret, const struct prefork_scoreboard *board);
