/* The terminal that the daemon was started from, if any. master/daemon asks for it when SIGHUP comes from the
 * kernel. */
#pragma once

#include <stdbool.h>

/* Does the session of this process have a terminal? False as soon as the terminal has hung up. Never blocks. */
bool terminal_is_there(void);
