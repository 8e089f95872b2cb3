/* A program that has stopped, and of which processes are made by fork(2): what a fork does not give them, or would
 * have them share with each other, is kept here, and each of them gets it as it was at the stop. What cannot be had
 * twice is refused by name.
 *
 * Called by touch/touch at the touch of a connection, and by preload/listener_template at the first wait for one. The
 * host of guard_begin() says which descriptors are not the program's. No system call of the program passes through
 * here, so this works without dispatch, too. */
#pragma once

#include "preload/touch/host.h"

/* At the stop: look at threads, children, open files and timers; the timers are stopped. TOUCH_FINE, or why there can
 * be no copy. */
enum touch_refusal standstill_keep(void);

/* Of the last refusal of standstill_keep(): the descriptor that it is about; -1: none. */
int standstill_culprit(void);

/* In a copy. TOUCH_FINE, or what it cannot have. */
enum touch_refusal standstill_renew(void);
