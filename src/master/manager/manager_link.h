/* What the service manager is told, in order and without waiting: messages it has no room for are kept and tried again.
 *
 * Owned by struct readiness. The manager's socket takes a few messages at a time (net.unix.max_dgram_qlen), and none of
 * those here may be lost: without READY=1 a start fails, without FDSTORE=1 a listener does. What is out of date by the
 * next second (STATUS=, WATCHDOG=1) is not queued: see manager_link_is_stuck(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "master/state/state_part.h"

struct evloop;
struct manager_link;

/* Read NOTIFY_SOCKET and WATCHDOG_USEC and remove them. A socket we cannot speak to is a warning, not an error. 0 or
 * -errno. */
int manager_link_new(struct evloop *loop, struct manager_link **ret);

/* True if there is a manager; all else does nothing without one. */
bool manager_link_is_heard(const struct manager_link *queue);

/* See notifier_watchdog_ms(). */
uint64_t manager_link_watchdog_ms(const struct manager_link *queue);

/* Say lines of NAME=VALUE, with a descriptor (-1: none; borrowed), after everything said before. */
void manager_link_say(struct manager_link *queue, int fd, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* True while messages wait. */
bool manager_link_is_stuck(const struct manager_link *queue);

/* For a program that is executed in this process: the variables that were removed, see notifier_set_environment(). */
int manager_link_set_environment(const struct manager_link *queue);
void manager_link_clear_environment(void);

/* The messages that wait: for a hand-over; the owner is a struct manager_link. */
extern const struct state_part manager_link_part;

void manager_link_free(struct manager_link *queue); /* a last try for what waits; NULL is fine */
