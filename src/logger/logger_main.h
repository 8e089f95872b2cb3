/* The log process: writes the log file, because a write to a disk can wait and the master must not.
 *
 * Forked by the master (master/log/log_process). Lines of the master come through a pipe, which keeps what this process
 * has not read when it is killed; records of workers through sockets; orders through a socket of their own. It has a
 * session of its own, no capability, and no other descriptor. It ends when it is told to, when its orders end (another
 * program has taken over from the master), or, when the master has died, when the last worker has gone: in each case it
 * writes first what has been sent. Signals that end daemons do not end it; SIGKILL does. */
#pragma once

struct log_plan;

/* Runs in the child; the result is its exit code. */
int logger_main(const struct log_plan *plan);
