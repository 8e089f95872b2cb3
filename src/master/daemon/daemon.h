/* The master: the supervising process. This is its interface for bin/.
 *
 * What must stay true: the master never touches traffic and never blocks; it waits only in its event loop. */
#pragma once

#include "master/daemon/setup.h"

/* Run the daemon until it stops; returns its exit code. In an upgrade, the state handed over by the program before it
 * changes *setup. All signals of master_signals must be blocked already (signals_take()). */
int daemon_run(struct daemon_setup *setup);
