/* Sends messages to the service manager, in order and without waiting: a message that the manager's socket has no room
 * for is queued and sent later.
 *
 * Owned by struct daemon; readiness, watchdog and fd_store send through it. The manager's socket holds a few messages
 * at a time (net.unix.max_dgram_qlen), and no queued message may be lost: without READY=1 a start fails, without
 * FDSTORE=1 a listener is lost. Messages that are outdated within a second (STATUS=, WATCHDOG=1) are not sent while
 * others are queued: see manager_link_is_stuck(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "master/state/state_part.h"

struct evloop;
struct manager_link;

/* Read NOTIFY_SOCKET and WATCHDOG_USEC. They stay in the environment until manager_link_clear_environment(). An
 * unusable socket is a warning, not an error. 0 or -errno. */
int manager_link_new(struct evloop *loop, struct manager_link **ret);

/* True if there is a manager; without one, the other functions do nothing. */
bool manager_link_is_heard(const struct manager_link *manager);

/* See notifier_watchdog_ms(). */
uint64_t manager_link_watchdog_ms(const struct manager_link *manager);

/* Send lines of NAME=VALUE, with a descriptor (-1: none; borrowed), after all earlier messages; what does not fit now
 * is queued. A message without a descriptor is lost for want of memory only after another one has waited for it too. 0;
 * -errno: it is lost. */
int manager_link_say(struct manager_link *manager, int fd, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* True while messages are queued. */
bool manager_link_is_stuck(const struct manager_link *manager);

/* Put the variables back for a program that is executed in this process, or remove them, so that no child can speak for
 * us; see notifier_set_environment(). */
int manager_link_set_environment(const struct manager_link *manager);
void manager_link_clear_environment(void);

/* The part of a hand-over: the queued messages. The owner is a struct manager_link. */
extern const struct state_part manager_link_part;

void manager_link_free(struct manager_link *manager); /* tries once more to send what is queued; NULL is fine */
