#include "preload/stderr_reader.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

#include "lib/sys.h"
#include "preload/record.h"

#define POLL_MS 50
#define LINE_BYTES (RECORD_BYTES - 8)
/* What a pipe holds: nobody has said more before the end. */
#define PIPE_BYTES (1 << 16)

/* An unfinished line. */
static struct {
        char text[LINE_BYTES];
        size_t length;
} begun;

/* Lines that say their priority keep it. */
static bool has_priority(void)
{
        return begun.length >= 3 && begun.text[0] == '<' && begun.text[1] >= '0' && begun.text[1] <= '7' &&
               begun.text[2] == '>';
}

static void finish_line(void)
{
        char text[RECORD_BYTES];
        struct line line = has_priority() ? line_begin(text, RECORD_BYTES - 1) : record_begin(text, RECORD_NOTICE);

        line_add_bytes(&line, begun.text, begun.length);
        if (begun.length > 0)
                record_write(&line);
        begun.length = 0;
}

static void feed(const char *bytes, long length)
{
        for (long i = 0; i < length; i++)
                if (bytes[i] == '\n' || begun.length == LINE_BYTES)
                        finish_line();
                else
                        begun.text[begun.length++] = bytes[i];
}

static bool has_ended(pid_t pid)
{
        siginfo_t info = {0};

        if (pid == 0)
                return true;
        long r = SYS_5(__NR_waitid, P_PID, pid, &info, WEXITED | WNOWAIT | WNOHANG, NULL);

        return r < 0 ? r != -EINTR : info.si_pid != 0;
}

void stderr_reader_run(int fd, pid_t pid)
{
        long left = PIPE_BYTES, length;
        char buffer[1024] = "";
        bool ended;

        record_leave_pipe();
        do {
                struct pollfd poller = {.fd = fd, .events = POLLIN};
                ended = has_ended(pid);
                length = sys_poll(&poller, 1, ended ? 0 : POLL_MS) == 1 ? sys_read(fd, buffer, sizeof(buffer)) : 0;
                feed(buffer, length);
                left -= ended ? length : 0;
        } while (!ended || (length > 0 && left > 0));
        finish_line();
}
