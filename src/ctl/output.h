/* The output of preforkctl: all of it on stdout, or the reason on stderr. Called by ctl/preforkctl and ctl/top. */
#pragma once

#include "ctl/client.h"

/* Print `string`. `done` (NULL: none) is the command that the daemon has carried out: if the answer cannot be printed,
 * the message on stderr says that it was, because the exit code alone would suggest that nothing happened. CTL_EXIT_OK
 * or CTL_EXIT_FAILURE. */
enum ctl_exit ctl_output(const char *string, const char *done);
