/* What the service manager is told, in order and without waiting: messages it has no room for are kept and tried again.
 *
 * Owned by struct service. The manager's socket takes a few messages at a time (net.unix.max_dgram_qlen), and none of
 * those here may be lost: without READY=1 a start fails, without FDSTORE=1 a listener does. What is out of date by the
 * next second (STATUS=, WATCHDOG=1) is not queued: see notify_queue_is_stuck(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "master/state/state_file.h"

struct evloop;
struct notify_queue;

/* Read NOTIFY_SOCKET and WATCHDOG_USEC and remove them. A socket we cannot speak to is a warning, not an error. 0 or
 * -errno. */
int notify_queue_new(struct evloop *loop, struct notify_queue **ret);

/* True if there is a manager; all else does nothing without one. */
bool notify_queue_is_heard(const struct notify_queue *queue);

/* See notifier_watchdog_ms(). */
uint64_t notify_queue_watchdog_ms(const struct notify_queue *queue);

/* Say lines of NAME=VALUE, with a descriptor (-1: none; borrowed), after everything said before. */
void notify_queue_say(struct notify_queue *queue, int fd, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* True while messages wait. */
bool notify_queue_is_stuck(const struct notify_queue *queue);

/* For a program that is executed in this process: the variables that were removed, see notifier_set_environment(), and the
 * messages that wait. A new reference or NULL; 0, -EPROTO, -ENOMEM. */
int notify_queue_set_environment(const struct notify_queue *queue);
void notify_queue_clear_environment(void);
json_t *notify_queue_write(const struct notify_queue *queue, struct document *document);
int notify_queue_read(struct notify_queue *queue, struct document *document, const json_t *array);

void notify_queue_free(struct notify_queue *queue); /* a last try for what waits; NULL is fine */
