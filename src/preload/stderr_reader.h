/* The master has died while a copy of the handler serves: nobody reads what it writes to stderr. The worker does, so
 * that SIGPIPE does not kill the handler and a full pipe does not block it, and passes it on to a log process. Called
 * by preload/service. */
#pragma once

#include <sys/types.h>

/* As stderr_rest_read(), into the log. */
void stderr_reader_run(int fd, pid_t pid);
