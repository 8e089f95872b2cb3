#include "worker/last_words.h"

#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/protocol/line_splitter.h"
#include "os/process/spawn.h"

#define POLL_MS 50
/* What a pipe holds: nobody has said more before the end. */
#define PIPE_BYTES (1 << 16)

static void log_line(void *context, const struct line *line)
{
        (void)context;
        log_emit(line->priority >= 0 ? line->priority : LOG_NOTICE, NULL, "%s", line->bytes);
}

void last_words_read(int log_read_fd, pid_t pid)
{
        _cleanup_(line_splitter_clear) struct line_splitter splitter = {0};
        char buffer[4096];
        ssize_t left = PIPE_BYTES, length;
        bool ended;

        do {
                struct pollfd poller = {.fd = log_read_fd, .events = POLLIN};
                ended = pid == 0 || spawn_has_ended(pid);
                length = poll(&poller, 1, ended ? 0 : POLL_MS) == 1 ? read(poller.fd, buffer, sizeof(buffer)) : 0;
                if (length > 0)
                        line_splitter_feed(&splitter, buffer, (size_t)length, log_line, NULL);
                left -= ended ? length : 0;
        } while (!ended || (length > 0 && left > 0));
        line_splitter_flush(&splitter, log_line, NULL);
}
