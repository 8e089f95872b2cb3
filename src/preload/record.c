#include "preload/record.h"

#include <errno.h>
#include <poll.h>

#include "lib/sys.h"

static struct {
        int socket_fd, pipe_fd;
        unsigned dropped;
} target = {.socket_fd = -1, .pipe_fd = -1};

void record_set_targets(int socket_fd, int pipe_fd)
{
        target.socket_fd = socket_fd;
        target.pipe_fd = pipe_fd;
}

void record_leave_pipe(void)
{
        target.pipe_fd = -1;
}

struct line record_begin(char *text, enum record_priority priority)
{
        struct line line = line_begin(text, RECORD_BYTES - 1); /* and the end of the line */

        line_add(&line, "<");
        line_add_number(&line, priority);
        line_add(&line, ">");
        return line;
}

/* True if it was sent, or dropped because the log process does not read; else the pipe is next. */
static bool send_to_socket(const char *text, size_t length, bool *ret_dropped)
{
        if (target.socket_fd < 0)
                return false;
        long r = SYS_6(__NR_sendto, target.socket_fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
        *ret_dropped = r < 0;
        if (r >= 0 || r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM)
                return true;
        target.socket_fd = -1;
        return false;
}

static bool send_bytes(const char *text, size_t length)
{
        struct pollfd poller = {.fd = target.pipe_fd, .events = POLLOUT};
        bool dropped;

        if (send_to_socket(text, length, &dropped))
                return !dropped;
        if (target.pipe_fd < 0 || sys_poll(&poller, 1, 0) != 1 || poller.revents != POLLOUT) /* POLLERR: nobody reads */
                return false;
        return sys_write(target.pipe_fd, text, length) == (long)length;
}

static void tell_dropped(void)
{
        char text[RECORD_BYTES];
        struct line line = record_begin(text, RECORD_WARNING);

        line_add_number(&line, target.dropped);
        line_add(&line, target.dropped == 1 ? " log record was dropped\n" : " log records were dropped\n");
        if (send_bytes(line.text, line.length))
                target.dropped = 0;
}

void record_write(struct line *line)
{
        line->size++;
        line_add(line, "\n");
        if (!send_bytes(line->text, line->length))
                target.dropped++;
        else if (target.dropped > 0)
                tell_dropped();
}
