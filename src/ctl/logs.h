/* `preforkctl logs`: preforkd's records, read from the journal by sd-journal(3).
 *
 * The daemon is not asked: its records are there when it does not run, which is when they are needed most. They are
 * those with SYSLOG_IDENTIFIER=preforkd, of every instance on this machine. */
#pragma once

#include "ctl/client.h"
#include "ctl/logs_options.h"

/* Print what `options` ask for; with `follow` until somebody ends it or nobody reads stdout any more. CTL_EXIT_OK, also
 * where there is no such record; CTL_EXIT_PERMISSION: the journal may not be read; CTL_EXIT_FAILURE: there is none, or
 * it or stdout has failed. Prints the reason on stderr. */
enum ctl_exit ctl_logs_run(const struct ctl_logs_options *options);
