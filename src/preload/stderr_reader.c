#include "preload/stderr_reader.h"

#include "lib/stderr_rest.h"
#include "preload/record.h"

#define LINE_BYTES (RECORD_BYTES - 8)

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

static void feed(void *context, const char *bytes, size_t length)
{
        (void)context;
        for (size_t i = 0; i < length; i++)
                if (bytes[i] == '\n' || begun.length == LINE_BYTES)
                        finish_line();
                else
                        begun.text[begun.length++] = bytes[i];
}

void stderr_reader_run(int fd, pid_t pid)
{
        record_leave_pipe();
        stderr_rest_read(fd, pid, feed, NULL);
        finish_line();
}
