#include "os/log/text.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"

const char *log_text_level(int priority)
{
        if (priority <= LOG_ERR)
                return "error: ";
        if (priority == LOG_WARNING)
                return "warning: ";
        return priority == LOG_DEBUG ? "debug: " : "";
}

/* The time of a line, without printf(3), which takes longer than all else that makes a line. */
struct stamp {
        char bytes[48];
        size_t length;
};

/* Add the last `width` digits of a number, and what is behind them. */
static void stamp_add(struct stamp *stamp, unsigned number, size_t width, char end)
{
        for (size_t i = width; i > 0; i--, number /= 10)
                stamp->bytes[stamp->length + i - 1] = (char)('0' + number % 10);
        stamp->length += width;
        stamp->bytes[stamp->length++] = end;
}

int log_text_append_time(struct text *text, uint64_t wall_ms)
{
        time_t seconds = (time_t)(wall_ms / 1000);
        struct tm local = {0};

        localtime_r(&seconds, &local); /* not localtime(), which would look at the file of the zone again */
        unsigned zone_minutes = (unsigned)labs(local.tm_gmtoff) / 60;
        struct stamp stamp = {.length = 0};
        stamp_add(&stamp, (unsigned)local.tm_year + 1900, 4, '-');
        stamp_add(&stamp, (unsigned)local.tm_mon + 1, 2, '-');
        stamp_add(&stamp, (unsigned)local.tm_mday, 2, 'T');
        stamp_add(&stamp, (unsigned)local.tm_hour, 2, ':');
        stamp_add(&stamp, (unsigned)local.tm_min, 2, ':');
        stamp_add(&stamp, (unsigned)local.tm_sec, 2, '.');
        stamp_add(&stamp, (unsigned)(wall_ms % 1000), 3, local.tm_gmtoff < 0 ? '-' : '+');
        stamp_add(&stamp, zone_minutes / 60, 2, ':');
        stamp_add(&stamp, zone_minutes % 60, 2, ' ');
        return text_append_bytes(text, stamp.bytes, stamp.length);
}

static int append_place(struct text *text, const struct log_fields *fields)
{
        if (!fields->file)
                return 0;
        if (fields->line > 0)
                return text_appendf(text, "%s:%u: ", fields->file, fields->line);
        return text_appendf(text, "%s: ", fields->file);
}

int log_text_append_prefix(struct text *text, const struct log_record *record)
{
        const struct log_fields *fields = &record->fields;

        int r = 0;

        if (fields->pool && ((r = text_append(text, "pool ")) < 0 || (r = text_append(text, fields->pool)) < 0 ||
                             (r = text_append(text, ": ")) < 0))
                return r;
        if (fields->worker_pid > 0 &&
            ((r = text_append(text, "worker ")) < 0 ||
             (r = text_append_number(text, (uint64_t)fields->worker_pid)) < 0 || (r = text_append(text, ": ")) < 0))
                return r;
        return append_place(text, fields);
}

int log_text_append_record(struct text *text, const struct log_record *record, uint64_t wall_ms)
{
        size_t begin = text->length;
        int r = wall_ms > 0 ? log_text_append_time(text, wall_ms) : 0;

        if (r == 0)
                r = text_append(text, "preforkd: ");
        if (r == 0)
                r = text_append(text, log_text_level(record->priority));
        if (r == 0)
                r = log_text_append_prefix(text, record);
        if (r == 0)
                r = log_text_append_line(text, record->message);
        if (r < 0)
                return r;
        log_text_cut(text, begin + LOG_LINE_MAX - 1);
        return text_append(text, "\n");
}

static bool is_plain(unsigned char byte)
{
        return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

int log_text_append_line(struct text *text, const char *string)
{
        while (*string) {
                size_t plain = 0;
                while (string[plain] && is_plain((unsigned char)string[plain]))
                        plain++;
                int r = text_append_bytes(text, string, plain);
                string += plain;
                if (r == 0 && *string == '\n')
                        r = text_append(text, "\\n");
                else if (r == 0 && *string)
                        r = text_appendf(text, "\\x%02x", (unsigned char)*string);
                if (r < 0)
                        return r;
                if (*string)
                        string++;
        }
        return 0;
}

size_t log_text_count_lines(const char *bytes, size_t length)
{
        size_t count = 0;
        const char *end = bytes + length;

        for (const char *at = bytes; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
                count++;
        return count;
}

void log_text_cut(struct text *text, size_t max_bytes)
{
        if (text->length <= max_bytes)
                return;
        size_t length = max_bytes;
        /* Bytes 10xxxxxx continue a character; three at most, else it is not UTF-8 and there is nothing to spare. */
        for (int i = 0; i < 3 && length > 0 && ((unsigned char)text->bytes[length] & 0xc0) == 0x80; i++)
                length--;
        text->length = length;
        text->bytes[length] = '\0';
}
