#include "os/log/journal.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "os/log/fields.h"
#include "os/log/text.h"

static int append_string(struct text *text, const char *name, const char *value)
{
        if (!value)
                return 0;
        /* A value with newlines: name, newline, length as 64 bits little endian, value, newline. */
        size_t length = strlen(value);
        uint64_t length_le = htole64(length);
        bool has_lines = memchr(value, '\n', length) != NULL;
        int r = text_append(text, name);
        if (r == 0)
                r = text_append(text, has_lines ? "\n" : "=");
        if (r == 0 && has_lines)
                r = text_append_bytes(text, (const char *)&length_le, sizeof(length_le));
        if (r == 0)
                r = text_append_bytes(text, value, length);
        return r == 0 ? text_append(text, "\n") : r;
}

static int append_message(struct text *text, const struct log_record *record)
{
        _cleanup_(text_clear) struct text message = {0};

        int r = log_text_append_prefix(&message, record);
        if (r == 0)
                r = text_append(&message, record->message);
        return r == 0 ? append_string(text, "MESSAGE", text_string(&message)) : r;
}

static int append_field(void *context, const struct log_field *field)
{
        return append_string(context, field->journal_name, field->value);
}

int log_journal_format(struct text *text, const struct log_record *record)
{
        /* getpid() each time: a worker logs through the sink it inherited. */
        int r = text_appendf(text, "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=preforkd\nSYSLOG_PID=%d\n",
                             record->priority, LOG_FAC(LOG_DAEMON), (int)getpid());
        if (r == 0)
                r = append_message(text, record);
        if (r == 0)
                r = append_string(text, "MESSAGE_ID", message_id_text(record->fields.message_id));
        return r == 0 ? log_fields_each(&record->fields, append_field, text) : r;
}

bool log_journal_is_stream(const struct stat *status, const char *journal_stream)
{
        char own[64];

        snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status->st_dev, (uintmax_t)status->st_ino);
        return journal_stream && text_equal(journal_stream, own);
}
