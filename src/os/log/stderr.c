#include "os/log/stderr.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/log/journal.h"
#include "os/log/text.h"

static_assert(LOG_LINE_MAX == PIPE_BUF, "a line is written whole, or not at all");

#define OPEN_FLAGS (O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_APPEND)

/* An open file of our own for the same pipe, terminal or device: its O_NONBLOCK is nobody else's. -1: not allowed (the
 * pipe or terminal is another user's), or it has lost its reader. */
static int reopen(int fd)
{
        char path[32];
        unsigned device, own_device;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int reopened = open(path, OPEN_FLAGS);
        if (reopened >= 0)
                return reopened;

        /* After su(1) the terminal still is the former user's, but everybody may open their own by this name. */
        _cleanup_(fd_closep) int terminal = open("/dev/tty", OPEN_FLAGS);
        if (terminal >= 0 && ioctl(fd, TIOCGDEV, &device) == 0 && ioctl(terminal, TIOCGDEV, &own_device) == 0 &&
            device == own_device)
                return TAKE_FD(terminal);
        return -1;
}

/* Choose how to write to a pipe, terminal or device. */
static int open_waiting_file(mode_t type, struct log_stderr *log)
{
        log->own_fd = reopen(log->fd);
        if (log->own_fd >= 0) {
                log->fd = log->own_fd;
                log->way = LOG_STDERR_WRITE;
                return 0;
        }
        log->way = LOG_STDERR_POLL;
        if (type != S_IFIFO)
                return 0;
        log->way = LOG_STDERR_SPLICE;
        return pipe2(log->pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

int log_stderr_open(int fd, const char *journal_stream, struct log_stderr *ret)
{
        struct log_stderr log = {.fd = fd, .own_fd = -1, .pipe_fds = {-1, -1}};
        struct stat status;

        if (fstat(fd, &status) < 0)
                return -errno;
        tzset(); /* reads /etc/localtime: now, not within a record */
        log.journal_stream = log_journal_is_stream(&status, journal_stream);
        log.form.stamps = !log.journal_stream;

        int r = 0;
        if (S_ISSOCK(status.st_mode))
                log.way = LOG_STDERR_SEND;
        else if ((log.is_file = S_ISREG(status.st_mode)))
                log.way = LOG_STDERR_WRITE;
        else
                r = open_waiting_file(status.st_mode & S_IFMT, &log);
        if (r == 0)
                *ret = log;
        return r;
}

void log_stderr_of_pipe(int fd, struct log_stderr *ret)
{
        *ret = (struct log_stderr){
                .way = LOG_STDERR_WRITE, .fd = fd, .own_fd = -1, .pipe_fds = {-1, -1}, .form.stamps = true};
}

/* A line for the journal's stream: sd-daemon(3). */
static int append_for_journal(struct text *text, const struct log_record *record, const struct log_form *form)
{
        uint64_t wall_ms = form->stamps ? clock_wall_ms() : 0;
        size_t begin = text->length;
        int r = text_appendf(text, "<%d>", record->priority);

        if (form->json) {
                if (r == 0)
                        r = log_line_append_json(text, record, wall_ms, LOG_LINE_MAX - (text->length - begin) - 1);
                return r == 0 ? text_append(text, "\n") : r;
        }
        if (r == 0 && wall_ms > 0)
                r = log_text_append_time(text, wall_ms);
        if (r == 0)
                r = log_text_append_prefix(text, record);
        if (r == 0)
                r = log_text_append_line(text, record->message);
        if (r < 0)
                return r;
        log_text_cut(text, begin + LOG_LINE_MAX - 1);
        return text_append(text, "\n");
}

int log_stderr_format(const struct log_stderr *log, struct text *text, const struct log_record *record)
{
        return log->journal_stream ? append_for_journal(text, record, &log->form)
                                   : log_line_append(text, record, &log->form);
}

/* A write to one pipe, then a move to the other that is told not to wait. The line fits one page, so it is moved whole
 * or not at all; what was not moved is taken out again. */
static ssize_t write_by_splice(const struct log_stderr *log, const char *bytes, size_t length)
{
        char leftover[PIPE_BUF];

        ssize_t n = write(log->pipe_fds[1], bytes, length);
        if (n < 0)
                return -errno;
        n = splice(log->pipe_fds[0], NULL, log->fd, NULL, length, SPLICE_F_NONBLOCK);
        int r = n < 0 ? -errno : 0;
        if (n < (ssize_t)length)
                while (read(log->pipe_fds[0], leftover, sizeof(leftover)) > 0)
                        ;
        return r < 0 ? r : n;
}

/* What is left: a terminal that is neither ours nor our session's. Between poll and write another writer may take the
 * room; nothing closes that gap, for such files know no other way. */
static ssize_t write_by_poll(const struct log_stderr *log, const char *bytes, size_t length)
{
        struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
        struct pollfd writable = {.fd = log->fd, .events = POLLOUT};

        ssize_t n = pwritev2(log->fd, &vector, 1, -1, RWF_NOWAIT);
        if (n >= 0 || errno != EOPNOTSUPP)
                return n < 0 ? -errno : n;
        int ready = poll(&writable, 1, 0);
        if (ready <= 0)
                return ready < 0 ? -errno : -EAGAIN;
        n = write(log->fd, bytes, length);
        return n < 0 ? -errno : n;
}

/* The number of bytes written, or -errno. */
static ssize_t write_bytes(const struct log_stderr *log, const char *bytes, size_t length)
{
        ssize_t n;

        if (log->way == LOG_STDERR_SPLICE)
                return write_by_splice(log, bytes, length);
        if (log->way == LOG_STDERR_POLL)
                return write_by_poll(log, bytes, length);
        if (log->way == LOG_STDERR_SEND)
                n = send(log->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        else
                n = write(log->fd, bytes, length);
        return n < 0 ? -errno : n;
}

ssize_t log_stderr_write_some(struct log_stderr *log, const char *bytes, size_t length)
{
        if (length == 0)
                return 0;
        if (log->line_is_open) {
                ssize_t n = write_bytes(log, "\n", 1);
                if (n < 0)
                        return n;
                log->line_is_open = false;
        }
        ssize_t n = write_bytes(log, bytes, length);
        if (n > 0)
                log->line_is_open = bytes[n - 1] != '\n';
        return n;
}

int log_stderr_write(struct log_stderr *log, const char *bytes, size_t length)
{
        ssize_t n = log_stderr_write_some(log, bytes, length);

        if (n < 0)
                return (int)n;
        /* Sockets and terminals take a part; the rest is not kept, since nothing says when there will be room. */
        return (size_t)n < length ? -EAGAIN : 0;
}

void log_stderr_close(struct log_stderr *log)
{
        fd_closep(&log->own_fd);
        fd_closep(&log->pipe_fds[0]);
        fd_closep(&log->pipe_fds[1]);
        log->fd = -1;
}
