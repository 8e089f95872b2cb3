/* What preforkctl says on stdout: whole, or a word on stderr about why not. */
#pragma once

#include "ctl/client.h"

/* Print. `done` (NULL: nothing) names the command that was carried out all the same when its answer cannot be printed: who
 * reads only the exit code must not believe that nothing happened. CTL_EXIT_OK or CTL_EXIT_FAILURE. */
enum ctl_exit ctl_output(const char *string, const char *done);
