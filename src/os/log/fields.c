#include "os/log/fields.h"

#include "base/cleanup.h"
#include "base/connection_record.h"
#include "base/log.h"
#include "base/text.h"

/* What a connection's record says, under the names of connection_log_format; but what all records have. */
static int each_of_connection(const struct connection_record *record,
                              int (*write)(void *context, const struct log_field *field), void *context)
{
        _cleanup_(text_clear) struct text value = {0};
        const struct connection_field *field;
        int r = 0;

        for (size_t i = 0; r == 0 && (field = connection_record_field(i)); i++) {
                if (!field->journal_name)
                        continue;
                text_truncate(&value);
                r = field->append(&value, record);
                if (r == 0 && value.length > 0)
                        r = write(context, &(const struct log_field){.name = field->name,
                                                                     .journal_name = field->journal_name,
                                                                     .value = text_string(&value),
                                                                     .is_number = field->is_number});
        }
        return r;
}

int log_fields_each(const struct log_fields *fields, int (*write)(void *context, const struct log_field *field),
                    void *context)
{
        const struct log_field texts[] = {
                {"pool", "POOL", fields->pool, false},
                {"reason", "REASON", fields->reason, false},
                {"config_file", "CONFIG_FILE", fields->file, false},
        };
        const struct {
                const char *name, *journal_name;
                uint64_t value;
        } numbers[] = {
                {"worker_pid", "WORKER_PID", fields->worker_pid > 0 ? (uint64_t)fields->worker_pid : 0},
                {"generation", "GENERATION", fields->generation},
                {"requests", "REQUESTS", fields->requests},
                {"request_duration_us", "REQUEST_DURATION_USEC", fields->request_duration_us},
                {"config_line", "CONFIG_LINE", fields->line},
        };
        _cleanup_(text_clear) struct text digits = {0};
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(texts); i++)
                r = texts[i].value ? write(context, &texts[i]) : 0;
        for (size_t i = 0; r == 0 && i < ELEMENTS(numbers); i++) {
                if (numbers[i].value == 0)
                        continue;
                text_truncate(&digits);
                r = text_append_number(&digits, numbers[i].value);
                if (r == 0)
                        r = write(context, &(const struct log_field){numbers[i].name, numbers[i].journal_name,
                                                                     text_string(&digits), true});
        }
        return r == 0 && fields->connection ? each_of_connection(fields->connection, write, context) : r;
}
