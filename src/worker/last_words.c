#include "worker/last_words.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "lib/stderr_rest.h"
#include "logic/protocol/line_splitter.h"

static void log_line(void *context, const struct line *line)
{
        (void)context;
        log_emit(line->priority >= 0 ? line->priority : LOG_NOTICE, NULL, "%s", line->bytes);
}

static void feed(void *context, const char *bytes, size_t length)
{
        line_splitter_feed(context, bytes, length, log_line, NULL);
}

void last_words_read(int log_read_fd, pid_t pid)
{
        _cleanup_(line_splitter_clear) struct line_splitter splitter = {0};

        stderr_rest_read(log_read_fd, pid, feed, &splitter);
        line_splitter_flush(&splitter, log_line, NULL);
}
