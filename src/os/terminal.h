/* The terminal we were started from, if any. */
#pragma once

#include <stdbool.h>

/* Does this process's session have a terminal? False as soon as it has hung up. Never waits. */
bool terminal_is_there(void);
