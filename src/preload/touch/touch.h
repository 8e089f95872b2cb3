/* The touch stop: lets a program start, and stops it at the first system call that concerns its connection.
 *
 * Called by the constructor of the preload object in a handler with `start_method = snapshot`. From touch_begin() on
 * every system call of the program passes through here (Syscall User Dispatch, prctl(2)), until one touches descriptor
 * 0 or 1, where a stand-in stands. Then the host is asked for copies. A copy gets its connection by
 * touch_put_connection(), and executes the touching call again, without dispatch, for good.
 *
 * What must stay true: the handler of SIGSYS executes no call whose effect is bound to the place of the call (masks,
 * forks, execs): it moves the program to a stub which does (touch/stub). Nothing is called that a program may have
 * replaced. What cannot work in a copy is refused by name, and never silently wrong. x86-64, Linux >= 5.11. */
#pragma once

#include <stdint.h>

#include "preload/touch/host.h"

/* Put the stand-in on 0 and 1 (and 2 if `stderr_too`), and begin to watch. `host` must stay. 0; -ENOSYS, -EINVAL: the
 * kernel or machine has no dispatch; others of socket(2). */
int touch_begin(const struct touch_host *host);

/* In a copy: put the connection on every descriptor that is still the stand-in; each keeps its close-on-exec flag.
 * `connection` stays open. */
void touch_put_connection(int connection);

/* At the stop: the program's own signal mask. */
uint64_t touch_mask(void);
