#include "master/pool/connection_reader.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/pool_memory.h"
#include "base/saturating.h"
#include "base/text.h"
#include "logic/config/config.h"
#include "logic/config/connection_line.h"
#include "master/loop/evloop.h"
#include "master/pool/boards.h"
#include "os/clock.h"

/* So many units a record: one a second. */
#define TOLD_COST 1000

#define LOOK_MS 100
#define HELD_MS 1000 /* a worker does not need so long to write a record that it has begun */
#define BATCH 32     /* records that are logged together */

/* A look costs a unit, and so do so many records; a thousand come back in a second. When they are used up, records stay
 * where they are for a moment; when too many come, workers find no room. */
#define RECORDS_A_UNIT 64
#define BURST 200
#define WAIT_MS 5

/* What is told of a connection that was not refused came from a worker that is to be replaced, or is a lie. */
static bool is_wanted(const struct pool_config *pool, const struct connection_record *record)
{
        return record->magic == CONNECTION_RECORD_MAGIC &&
               (pool->connection_log == CONNECTION_LOG_ALL ||
                (pool->connection_log == CONNECTION_LOG_REFUSED && record->end >= CONNECTION_REFUSED));
}

/* The lines of a batch, as one text; and the records of the log, which refer to it. */
struct batch {
        struct connection_record connections[BATCH];
        struct log_record records[BATCH];
        size_t begins[BATCH]; /* of the lines in the text */
        size_t count;
        struct text lines;
};

/* Append the line for a connection, and its end. */
static bool add_line(struct batch *batch, const struct connection_line *line, const struct connection_record *record)
{
        size_t begin = batch->lines.length;

        if (connection_line_append(&batch->lines, line, record) < 0 || text_append_bytes(&batch->lines, "", 1) < 0) {
                text_cut(&batch->lines, begin);
                return false;
        }
        batch->begins[batch->count] = begin;
        return true;
}

static void log_batch(const struct pool_config *pool, const struct connection_line *line, struct batch *batch,
                      size_t taken)
{
        batch->count = 0;
        text_truncate(&batch->lines);
        for (size_t i = 0; i < taken && log_wants(LOG_INFO); i++) {
                const struct connection_record *record = &batch->connections[i];
                if (!is_wanted(pool, record) || !add_line(batch, line, record))
                        continue;
                batch->records[batch->count++] =
                        (struct log_record){.priority = LOG_INFO,
                                            .fields = {.message_id = MESSAGE_ID_CONNECTION,
                                                       .pool = pool->name,
                                                       .worker_pid = record->worker,
                                                       .request_duration_us = record->duration_us,
                                                       .reason = connection_record_reason(record),
                                                       .connection = record}};
        }
        for (size_t i = 0; i < batch->count; i++)
                batch->records[i].message = batch->lines.bytes + batch->begins[i];
        log_emit_many(batch->records, batch->count);
}

/* A record that was begun and is not written: its worker is at it, stands still, or has gone. */
static void look_at_held(struct board *board, struct connection_ring *ring)
{
        uint64_t now_ms = clock_now_ms();

        if (!connection_ring_is_held(ring, board->connections_at))
                board->connections_held_ms = 0;
        else if (board->connections_held_ms == 0)
                board->connections_held_ms = now_ms;
        else if (now_ms - board->connections_held_ms >= HELD_MS)
                connection_ring_skip(ring, &board->connections_at); /* if the next is held as well, it is next */
}

/* Log at most `most` records of a board. How many there were. */
static size_t read_board(const struct pool_config *pool, struct board *board, const struct connection_line *line,
                         struct batch *batch, size_t most)
{
        struct connection_ring *ring = connection_ring_of(board->memory);
        uint32_t before = board->connections_at;
        size_t sum = 0, taken;

        do {
                size_t wanted = MIN_OF(most - sum, (size_t)BATCH);
                taken = connection_ring_take(ring, &board->connections_at, batch->connections, wanted);
                sum += taken;
                log_batch(pool, line, batch, taken);
        } while (taken == BATCH && sum < most);
        if (board->connections_at != before)
                board->connections_held_ms = 0;
        if (taken < BATCH)
                look_at_held(board, ring);
        return sum;
}

static void tell_dropped(struct connection_reader *reader)
{
        const struct log_fields fields = {.pool = (*reader->config)->name};

        for (unsigned b = 0; b < reader->boards->count; b++) {
                uint32_t dropped = connection_ring_take_dropped(connection_ring_of(reader->boards->items[b]->memory));
                if ((*reader->config)->connection_log != CONNECTION_LOG_NO)
                        reader->dropped = saturated_add(reader->dropped, dropped);
        }
        if (reader->dropped == 0 || !rate_limit_take(&reader->told, clock_now_ms(), TOLD_COST, TOLD_COST))
                return;
        log_emit(LOG_WARNING, &fields,
                 "connection_log: %llu records were dropped: the master did not read them in time",
                 (unsigned long long)reader->dropped);
        reader->dropped = 0;
}

/* Log at most `most` records of each board. How many there were. */
static size_t read_boards(struct connection_reader *reader, size_t most)
{
        const char *format = (*reader->config)->connection_log_format;
        _cleanup_(connection_line_clear) struct connection_line line = {0};
        struct batch batch = {.count = 0};
        size_t sum = 0;

        if (connection_line_read(&line, format ? format : CONNECTION_LINE_DEFAULT, (*reader->config)->name) < 0)
                return 0; /* the next look finds them */
        for (unsigned b = 0; b < reader->boards->count; b++)
                sum += read_board(*reader->config, reader->boards->items[b], &line, &batch, most);
        text_clear(&batch.lines);
        tell_dropped(reader);
        return sum;
}

static void set_timer(struct connection_reader *reader, uint64_t delay_ms)
{
        evloop_timer_set(reader->timer, clock_now_ms() + delay_ms);
        reader->is_set = true;
}

/* Look within the budget. False: there may be more. */
static bool look(struct connection_reader *reader, size_t *ret_count)
{
        uint64_t now_ms = clock_now_ms();
        uint64_t left = rate_limit_left(&reader->budget, now_ms, BURST);
        size_t most = left > 0 ? (size_t)(left - 1) * RECORDS_A_UNIT : 0;

        *ret_count = most > 0 ? read_boards(reader, most) : 0;
        rate_limit_take(&reader->budget, now_ms, BURST, MIN_OF(left, 1 + *ret_count / RECORDS_A_UNIT));
        return most > 0 && *ret_count < most;
}

void connection_reader_look(struct connection_reader *reader)
{
        size_t count;
        bool is_all = look(reader, &count);

        if (!is_all || !reader->is_set)
                set_timer(reader, is_all ? LOOK_MS : WAIT_MS);
}

static void on_timer(void *context)
{
        struct connection_reader *reader = context;
        size_t count;

        reader->is_set = false;
        for (unsigned b = 0; b < reader->boards->count; b++)
                connection_ring_listen(connection_ring_of(reader->boards->items[b]->memory));
        bool is_all = look(reader, &count);
        if (is_all && count == 0 && reader->dropped == 0)
                return;
        /* Who comes meanwhile has woken us already, or finds that there is no need to. */
        for (unsigned b = 0; b < reader->boards->count; b++)
                connection_ring_expect(connection_ring_of(reader->boards->items[b]->memory));
        set_timer(reader, is_all ? LOOK_MS : WAIT_MS);
}

void connection_reader_turn(struct connection_reader *reader)
{
        bool is_told = false;

        for (unsigned b = 0; b < reader->boards->count && !reader->is_set; b++)
                is_told |= connection_ring_is_told(connection_ring_of(reader->boards->items[b]->memory));
        if (is_told)
                connection_reader_look(reader);
}

void connection_reader_flush(struct connection_reader *reader)
{
        if (reader->boards)
                read_boards(reader, CONNECTION_RING_CELLS);
}

int connection_reader_open(struct connection_reader *reader, struct evloop *loop,
                           const struct pool_config *const *config, struct boards *boards)
{
        reader->config = config;
        reader->boards = boards;
        return evloop_timer_new(loop, on_timer, reader, &reader->timer);
}

void connection_reader_close(struct connection_reader *reader)
{
        evloop_timer_free(reader->timer);
        reader->timer = NULL;
}
