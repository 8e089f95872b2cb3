#include "worker/worker_log.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/door.h"

/* At most PIPE_BUF, so that a write is atomic. poll(2) reports a pipe as writable if PIPE_BUF bytes fit. */
#define LINE_MAX_BYTES 1024

/* True if the record was sent, or dropped because the log process does not read; else the pipe is next. */
static bool send_to_socket(struct worker_log *log, const char *line, size_t length, bool *ret_dropped)
{
        if (log->socket_fd < 0)
                return false;
        *ret_dropped = send(log->socket_fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0;
        if (!*ret_dropped || errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
                return true;
        log->socket_fd = -1;
        return false;
}

/* False: it was dropped. The pipe has a reader besides the master, this process, so writing raises no SIGPIPE; but when
 * the master has died, that is the only one, and would read its own records. */
static bool send_line(struct worker_log *log, const char *line, size_t length)
{
        struct pollfd poller = {.fd = log->pipe_fd, .events = POLLOUT};
        bool dropped;

        if (send_to_socket(log, line, length, &dropped))
                return !dropped;
        if (door_is_orphaned() || poll(&poller, 1, 0) != 1 || !(poller.revents & POLLOUT))
                return false;
        return write(log->pipe_fd, line, length) == (ssize_t)length;
}

static void write_record(void *context, const struct log_record *record)
{
        struct worker_log *log = context;
        char line[LINE_MAX_BYTES];

        int length = snprintf(line, sizeof(line) - 1, "<%d>%s", record->priority, record->message);
        if (length < 0)
                return;
        length = MIN_OF(length, (int)sizeof(line) - 2);
        line[length++] = '\n';
        if (!send_line(log, line, (size_t)length)) {
                log->dropped++;
                return;
        }
        unsigned dropped = atomic_exchange(&log->dropped, 0);
        if (dropped == 0)
                return;
        length = snprintf(line, sizeof(line), "<%d>%u log record%s dropped\n", LOG_WARNING, dropped,
                          dropped == 1 ? " was" : "s were");
        if (!send_line(log, line, (size_t)length))
                atomic_fetch_add(&log->dropped, dropped);
}

void worker_log_start(struct worker_log *log)
{
        const struct log_sink sink = {.write = write_record, .context = log};

        log_set_sink(&sink, LOG_DEBUG); /* log_level is applied where the records are read */
}
