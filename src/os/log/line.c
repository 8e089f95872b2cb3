#include "os/log/line.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/log/fields.h"
#include "os/log/text.h"

#define VALUE_MAX 1024 /* of a field: paths are the only ones that can be so long */
#define END "\"}"
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* The bytes of what one step of a JSON string takes from `string`, and what stands for it: at most 6 bytes. */
static size_t escape(const char *string, char ret[static 8])
{
        unsigned char byte = (unsigned char)string[0];
        size_t width = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;

        if (byte == '"' || byte == '\\')
                snprintf(ret, 8, "\\%c", byte);
        else if (byte == '\n')
                snprintf(ret, 8, "\\n");
        else if (byte < 0x20 || byte == 0x7f)
                snprintf(ret, 8, "\\u%04x", byte);
        else if (strnlen(string, width) == width && text_printable_length(string, width) == width)
                snprintf(ret, 8, "%.*s", (int)width, string);
        else {
                snprintf(ret, 8, REPLACEMENT);
                return 1;
        }
        return width;
}

/* The length of what `string` begins with that stands for itself. */
static size_t plain_length(const char *string)
{
        size_t length = 0;

        while (string[length] >= 0x20 && string[length] < 0x7f && string[length] != '"' && string[length] != '\\')
                length++;
        return length;
}

/* Append the inside of a JSON string, as much of it as leaves the text no longer than `max_bytes`. */
static int append_string(struct text *text, const char *string, size_t max_bytes)
{
        char step[8];
        int r = 0;

        while (*string && r == 0) {
                size_t room = max_bytes > text->length ? max_bytes - text->length : 0;
                size_t plain = MIN_OF(plain_length(string), room);
                r = text_append_bytes(text, string, plain);
                string += plain;
                if (r < 0 || !*string)
                        break;
                string += escape(string, step);
                if (text->length + strlen(step) > max_bytes)
                        break;
                r = text_append(text, step);
        }
        return r;
}

static int append_name(struct text *text, const char *name)
{
        int r = text_append(text, ",\"");

        if (r == 0)
                r = text_append(text, name);
        return r == 0 ? text_append(text, "\":") : r;
}

static int append_member(struct text *text, const char *name, const char *value)
{
        if (!value)
                return 0;
        int r = append_name(text, name);
        if (r == 0)
                r = text_append(text, "\"");
        if (r == 0)
                r = append_string(text, value, text->length + VALUE_MAX);
        return r == 0 ? text_append(text, "\"") : r;
}

static int append_field(void *context, const struct log_field *field)
{
        if (!field->is_number)
                return append_member(context, field->name, field->value);
        int r = append_name(context, field->name);
        return r == 0 ? text_append(context, field->value) : r;
}

static const char *level_name(int priority)
{
        static const char *const names[] = {"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"};

        return names[priority & 7];
}

/* `{"time":"…",` with the time where the lines of text have it, but without the blank behind it. */
static int append_begin(struct text *text, uint64_t wall_ms)
{
        if (wall_ms == 0)
                return text_append(text, "{");
        int r = text_append(text, "{\"time\":\"");
        if (r == 0)
                r = log_text_append_time(text, wall_ms);
        if (r < 0)
                return r;
        text->bytes[--text->length] = '\0';
        return text_append(text, "\",");
}

int log_line_append_json(struct text *text, const struct log_record *record, uint64_t wall_ms, size_t max_bytes)
{
        size_t begin = text->length;
        int r = append_begin(text, wall_ms);

        if (r == 0)
                r = text_appendf(text, "\"level\":\"%s\",\"program\":\"preforkd\"", level_name(record->priority));
        if (r == 0)
                r = log_fields_each(&record->fields, append_field, text);
        if (r == 0)
                r = append_member(text, "message_id", message_id_text(record->fields.message_id));
        if (r == 0)
                r = text_append(text, ",\"message\":\"");
        if (r == 0)
                r = append_string(text, record->message, begin + max_bytes - strlen(END));
        return r == 0 ? text_append(text, END) : r;
}

int log_line_append(struct text *text, const struct log_record *record, const struct log_form *form)
{
        uint64_t wall_ms = form->stamps ? clock_wall_ms() : 0;

        if (!form->json)
                return log_text_append_record(text, record, wall_ms);
        int r = log_line_append_json(text, record, wall_ms, LOG_LINE_MAX - 1);
        return r == 0 ? text_append(text, "\n") : r;
}
