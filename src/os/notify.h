/* What the service manager is told: the sd_notify(3) protocol, without waiting.
 *
 * Owned by the master alone. What must stay true: NOTIFY_SOCKET leaves the environment before there is a child, so
 * that none can speak for us; but not before the start has succeeded, because a program that cannot take over in an
 * upgrade is executed again, or another in its place.
 *
 * libsystemd reads for us what the manager says (os/activation.c, sd_watchdog_enabled() here), but what we send to the
 * manager and to the journal (os/log/journal.c) we send ourselves: sd_notify() and sd_journal_send() wait while the
 * receiver does not read, and a systemd or journald that hangs would stop the master. We send with MSG_DONTWAIT. What
 * does not fit is lost here: the callers send states, which the next message repeats. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct notifier;

/* Read NOTIFY_SOCKET and WATCHDOG_* of the environment. Without a manager a notifier is made that says
 * nothing. 0; -ENOMEM; -EINVAL: NOTIFY_SOCKET names no UNIX socket; -EMFILE, -ENFILE (socket(2)). */
int notifier_new(struct notifier **ret);

/* True if somebody listens. */
bool notifier_is_heard(const struct notifier *notifier);

/* Milliseconds within which the manager wants to hear WATCHDOG=1 (sd_watchdog_enabled(3)); 0: it does not. */
uint64_t notifier_watchdog_ms(const struct notifier *notifier);

/* Send lines of NAME=VALUE, with descriptors for FDSTORE=1 (at most 64; NULL and 0: none). 0; -EAGAIN: it does not fit
 * now; other -errno of sendmsg(2). Without a manager: 0. */
int notifier_send(struct notifier *notifier, const char *lines, const int *fds, size_t fd_count);

/* Put the variables back for a program that is executed in this process, or remove them. 0 or -ENOMEM. */
int notifier_set_environment(const struct notifier *notifier);
void notifier_clear_environment(void);

void notifier_free(struct notifier *notifier);
