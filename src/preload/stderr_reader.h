/* The master has died while a copy of the handler serves: nobody reads what it writes to stderr. The worker does, so
 * that SIGPIPE does not kill the handler and a full pipe does not block it, and passes it on to a log process. Called
 * by preload/service. */
#pragma once

#include <sys/types.h>

/* Read until the process, a child, has ended, and what it had said by then; it is not collected. 0: read what is there.
 * `fd` is non-blocking; -1: there is nothing to read, and this only waits. */
void stderr_reader_run(int fd, pid_t pid);
