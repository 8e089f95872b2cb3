#include "master/pool/connection_log.h"

#include "base/cleanup.h"
#include "base/connection_record.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/config/config.h"
#include "logic/config/connection_line.h"

void connection_log_tell(const struct pool_config *pool, const struct connection_record *record)
{
        const struct log_fields fields = {.message_id = MESSAGE_ID_CONNECTION,
                                          .pool = pool->name,
                                          .worker_pid = record->worker,
                                          .request_duration_us = record->duration_us,
                                          .reason = connection_record_reason(record),
                                          .connection = record};
        const char *format = pool->connection_log_format;
        _cleanup_(text_clear) struct text line = {0};

        if (record->dropped > 0)
                log_emit(LOG_WARNING, &(const struct log_fields){.pool = pool->name, .worker_pid = record->worker},
                         "connection_log: %u records were dropped: the master did not read them in time",
                         record->dropped);
        if (!log_wants(LOG_INFO))
                return;
        if (connection_line_append(&line, format ? format : CONNECTION_LINE_DEFAULT, pool->name, record) == 0)
                log_emit(LOG_INFO, &fields, "%s", text_string(&line));
}
