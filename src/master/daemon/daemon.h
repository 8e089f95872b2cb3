/* The master: the one supervising process, as bin/ knows it.
 *
 * It never touches traffic and never waits: every wait is an event or a timer of its loop. */
#pragma once

#include "master/daemon/setup.h"

/* Run the daemon to its end; returns its exit code. What a former program has handed over changes *setup. All
 * signals of master_signals must be taken (blocked). */
int daemon_run(struct daemon_setup *setup);
