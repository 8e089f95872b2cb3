/* The counters of a pool: THE table, from which the structure, its sums over workers and pools, the status, the report
 * in the log, the hand-over to another program and the manual are made. Pure.
 *
 * Adding a counter is adding a line to COUNTERS; one that workers count also needs its word in the slot. master/pool
 * counts and adds up; everything else walks counter_table. What slots say is gossip: logic/status/tally decides what of
 * it is believed, by the unit. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct prefork_scoreboard;
struct prefork_slot;

/* How a counter is held, which is not always how it is shown. */
enum counter_unit {
        COUNTER_NUMBER,      /* of a worker: less than one a microsecond */
        COUNTER_OF_REQUESTS, /* a number, of a worker at most one for each request */
        COUNTER_NS,          /* shown in ms; of a worker at most its age */
        COUNTER_US,          /* shown in ms; of a worker at most its age, for each processor */
        COUNTER_UNIT_COUNT
};

/* X(member, shown as, unit, the slot's word, the board's word, in the report, what it counts)
 *
 * `shown as` is the name in the status, `member` that in the hand-over; neither ever changes its meaning. A counter
 * that workers keep names its word by OF(); the others NONE. In the report: the words after the number; NULL: it is not
 * in the report. What it counts is a line of preforkd-control(7): at most 79 bytes of plain text. */
/* clang-format off */
#define COUNTERS(X)                                                                                                    \
        X(forked, "forked", COUNTER_NUMBER, NONE, NONE, "forked", "workers started")                                   \
        X(retired, "retired", COUNTER_NUMBER, NONE, NONE, "retired", "workers asked to end")                           \
        X(recycled, "recycled", COUNTER_NUMBER, NONE, NONE, "recycled",                                                \
          "workers replaced for their number of requests, age or memory")                                              \
        X(died, "died", COUNTER_NUMBER, NONE, NONE, "died",                                                            \
          "workers that ended unexpectedly")                                                                           \
        X(start_failures, "start_failures", COUNTER_NUMBER, NONE, NONE, "failed starts",                               \
          "workers that could not be started, or ended before they could serve")                                       \
        X(saturations, "saturations", COUNTER_NUMBER, NONE, NONE, "saturations",                                       \
          "how often clients waited or were refused at max_workers")                                                   \
        X(request_timeouts, "request_timeouts", COUNTER_NUMBER, NONE, NONE, "request timeouts",                        \
          "requests ended because they took longer than request_timeout")                                              \
        X(idle_timeouts, "idle_timeouts", COUNTER_OF_REQUESTS, OF(idle_timeouts), NONE, "idle timeouts",               \
          "requests ended because no byte went either way for idle_timeout")                                           \
        X(slow, "slow", COUNTER_NUMBER, NONE, NONE, "slow",                                                            \
          "requests that were logged for request_slowlog_timeout")                                                     \
        X(detached, "detached", COUNTER_NUMBER, NONE, NONE, "detached",                                                \
          "requests that took longer than detach_after and left max_workers")                                          \
        X(aborted, "aborted", COUNTER_NUMBER, NONE, NONE, "aborted",                                                   \
          "requests ended by an immediate stop, shutdown_timeout or kill-worker")                                      \
        X(refused, "refused", COUNTER_NUMBER, OF(refused) + OF(refused_access) + OF(refused_proxy) + OF(refused_wait) + OF(refused_banner), OF(refused), "refused",                                     \
          "connections closed unserved; they are not requests")                                                        \
        X(refused_full, "refused_full", COUNTER_NUMBER, NONE, OF(refused), NULL,                                       \
          "of refused, those for when_full = refuse")                                                                  \
        X(refused_source, "refused_source", COUNTER_NUMBER, OF(refused), NONE, "of them by source",                    \
          "of refused, those for max_connections_per_source")                                                          \
        X(refused_access, "refused_access", COUNTER_NUMBER, OF(refused_access), NONE, "of them by access rules",         \
          "of refused, those for allow and deny")                                                                      \
        X(refused_proxy, "refused_proxy", COUNTER_NUMBER, OF(refused_proxy), NONE, "of them by PROXY header",             \
          "of refused, those of proxies without a good PROXY header")                                                  \
        X(refused_wait, "refused_wait", COUNTER_NUMBER, OF(refused_wait), NONE, "of them by their wait",               \
          "of refused, those for queue_timeout")                                                                       \
        X(refused_banner, "refused_banner", COUNTER_NUMBER, OF(refused_banner), NONE, "of them by the banner",         \
          "of refused, those whose client did not read the banner")                                                    \
        X(requests, "requests", COUNTER_NUMBER, OF(requests_ended), NONE, "requests", "requests that have ended")      \
        X(busy_ns, "busy_ms", COUNTER_NS, OF(busy_ns), NONE, NULL, "the duration of all requests together")            \
        X(handler_cpu_us, "handler_cpu_ms", COUNTER_US, OF(handler_cpu_us), NONE, NULL,                                \
          "the CPU time of handlers that have ended")                                                                  \
        X(handler_deaths, "handler_deaths", COUNTER_OF_REQUESTS, OF(handler_deaths), NONE, NULL,                       \
          "handlers that a signal killed")                                                                             \
        X(handler_crashes, "handler_crashes", COUNTER_OF_REQUESTS, OF(handler_crashes), NONE, NULL,                     \
          "of handler_deaths, those by a fault: SEGV, ABRT, BUS, ILL, FPE, SYS, TRAP")                                 \
        X(handler_failures, "handler_failures", COUNTER_OF_REQUESTS, OF(handler_failures), NONE, "failed handlers",    \
          "handlers that exited with a code other than 0, or could not serve")                                         \
        X(lost, "lost", COUNTER_OF_REQUESTS, OF(lost), NONE, "lost",                                                   \
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
        const char *label; /* in the report; NULL: not in it */
        const char *help;
};

extern const struct counter counter_table[COUNTER_COUNT];

/* One of them, as it is held: to be read, or written by the hand-over. */
uint64_t *counter_of(struct counters *counters, enum counter_id id);
const uint64_t *counter_of_const(const struct counters *counters, enum counter_id id);

/* One of them, in the unit in which it is shown. */
uint64_t counter_shown(const struct counters *counters, enum counter_id id);

/* Add all of `more`. */
void counters_add(struct counters *sum, const struct counters *more);

/* Read what a slot counts of its worker's life, or what the board counts of processes without a slot; the others are
 * 0. */
void counters_read_slot(struct counters *ret, const struct prefork_slot *slot);
void counters_read_board(struct counters *ret, const struct prefork_scoreboard *board);
