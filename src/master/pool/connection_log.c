#include "master/pool/connection_log.h"

#include "base/cleanup.h"
#include "base/connection_record.h"
#include "base/log.h"
#include "base/saturating.h"
#include "base/text.h"
#include "logic/config/config.h"
#include "logic/config/connection_line.h"
#include "os/clock.h"

/* So many units a record: one a second. */
#define TOLD_COST 1000

/* What is told of a connection that was not refused came from a worker that is to be replaced, or is a lie. */
static bool is_wanted(const struct pool_config *pool, const struct connection_record *record)
{
        return pool->connection_log == CONNECTION_LOG_ALL ||
               (pool->connection_log == CONNECTION_LOG_REFUSED && record->end >= CONNECTION_REFUSED);
}

static void tell_dropped(const struct pool_config *pool, struct connection_drops *drops)
{
        const struct log_fields fields = {.pool = pool->name};

        if (drops->count == 0 || !rate_limit_take(&drops->told, clock_now_ms(), TOLD_COST, TOLD_COST))
                return;
        log_emit(LOG_WARNING, &fields,
                 "connection_log: %llu records were dropped: the master did not read them in time",
                 (unsigned long long)drops->count);
        drops->count = 0;
}

void connection_log_tell(const struct pool_config *pool, struct connection_drops *drops,
                         const struct connection_record *record)
{
        const struct log_fields fields = {.message_id = MESSAGE_ID_CONNECTION,
                                          .pool = pool->name,
                                          .worker_pid = record->worker,
                                          .request_duration_us = record->duration_us,
                                          .reason = connection_record_reason(record),
                                          .connection = record};
        const char *format = pool->connection_log_format;
        _cleanup_(connection_line_clear) struct connection_line form = {0};
        _cleanup_(text_clear) struct text line = {0};

        if (pool->connection_log == CONNECTION_LOG_NO)
                return;
        drops->count = saturated_add(drops->count, record->dropped);
        tell_dropped(pool, drops);
        if (!is_wanted(pool, record) || !log_wants(LOG_INFO))
                return;
        if (connection_line_read(&form, format ? format : CONNECTION_LINE_DEFAULT, pool->name) == 0 &&
            connection_line_append(&line, &form, record) == 0)
                log_emit(LOG_INFO, &fields, "%s", text_string(&line));
}
