#include "master/pool/wake_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/connection_record.h"
#include "os/clock.h"

/* Workers write a byte for each flag of the scoreboard that they set, and a record for each connection if those are
 * logged. Whoever writes more is answered by more turns, none of which is longer than others. */
#define BITE_BYTES 16384

/* A look that finds records costs some units, and so do so many of them; a thousand units a second come back. So where
 * records come often, the pipe is looked at 200 times a second: to wake up for each of them would cost more than the
 * record itself. A wake-up that comes in such a pause is late by no more than in a storm of wake-ups. */
#define RECORDS_UNITS_A_LOOK 5
#define RECORDS_A_UNIT 16
#define RECORDS_BURST 100

static void pause_watch(struct wake_pipe *wake, uint64_t now_ms)
{
        evloop_watch_pause(wake->watch);
        evloop_timer_set(wake->pause, now_ms + WAKE_LIMIT_PAUSE_MS);
        wake->paused = true;
}

/* One turn more; if there were too many, nobody watches for a while. */
static void count_turn(struct wake_pipe *wake)
{
        uint64_t now_ms = clock_now_ms();
        struct wake_verdict verdict = wake_limit_note(&wake->limit, now_ms);

        wake->storm |= verdict.tell;
        if (verdict.pause)
                pause_watch(wake, now_ms);
}

/* Records lead to no turn. When many come, they are read together; when too many come, workers find the pipe full. */
static void count_records(struct wake_pipe *wake, size_t count)
{
        uint64_t now_ms = clock_now_ms();

        if (!rate_limit_take(&wake->records, now_ms, RECORDS_BURST, RECORDS_UNITS_A_LOOK + count / RECORDS_A_UNIT))
                pause_watch(wake, now_ms);
}

/* Read the rest of what begins like a record: it was written at once. False: it is none. */
static bool complete(const struct wake_pipe *wake, char *bytes, size_t have)
{
        size_t missing = sizeof(struct connection_record) - have;

        return read(wake->read_fd, bytes + have, missing) == (ssize_t)missing;
}

/* Take one record from the `length` bytes. How many bytes it has; 0: they do not begin with one. */
static size_t take_record(const struct wake_pipe *wake, char *bytes, size_t length)
{
        struct connection_record record;
        const uint64_t magic = CONNECTION_RECORD_MAGIC;

        if (memcmp(bytes, &magic, MIN_OF(length, sizeof(magic))) != 0)
                return 0;
        if (length < sizeof(record) && !complete(wake, bytes, length))
                return 0;
        memcpy(&record, bytes, sizeof(record));
        if (record.magic != magic)
                return 0;
        wake->told(wake->context, &record);
        return sizeof(record);
}

/* Take out what workers have written. True: one of them has woken us. */
static bool read_some(struct wake_pipe *wake)
{
        char bite[BITE_BYTES + sizeof(struct connection_record)];
        bool is_woken = false;
        size_t records = 0;

        ssize_t length = read(wake->read_fd, bite, BITE_BYTES);
        for (ssize_t at = 0; at < length;) {
                size_t taken = take_record(wake, bite + at, (size_t)(length - at));
                is_woken |= taken == 0;
                records += taken > 0;
                at += taken > 0 ? (ssize_t)taken : 1;
        }
        if (records > 0)
                count_records(wake, records);
        return is_woken;
}

/* Must be the last: the pipe may be closed by it. */
static void pass_on(struct wake_pipe *wake)
{
        bool storm = wake->storm;

        wake->storm = false;
        wake->woken(wake->context, storm);
}

static void on_readable(void *context)
{
        struct wake_pipe *wake = context;

        if (!read_some(wake))
                return;
        count_turn(wake);
        pass_on(wake);
}

/* What was written meanwhile is still there. */
static void on_pause_over(void *context)
{
        struct wake_pipe *wake = context;
        bool noted = wake->noted;

        wake->paused = wake->noted = false;
        evloop_watch_resume(wake->watch);
        if (!noted)
                return;
        count_turn(wake);
        pass_on(wake);
}

bool wake_pipe_note(struct wake_pipe *wake)
{
        wake->noted = wake->paused;
        if (!wake->paused)
                count_turn(wake);
        return !wake->noted;
}

int wake_pipe_open(struct wake_pipe *wake, struct evloop *loop, int read_fd, int write_fd, wake_function *woken,
                   wake_record_function *told, void *context)
{
        int fds[2] = {read_fd, write_fd};

        int r = read_fd < 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
        *wake = (struct wake_pipe){
                .read_fd = fds[0], .write_fd = fds[1], .woken = woken, .told = told, .context = context};
        if (r == 0)
                r = evloop_timer_new(loop, on_pause_over, wake, &wake->pause);
        return r < 0 ? r : evloop_watch_new(loop, wake->read_fd, on_readable, wake, &wake->watch);
}

void wake_pipe_close(struct wake_pipe *wake)
{
        evloop_timer_free(wake->pause);
        wake->pause = NULL;
        evloop_watch_free(wake->watch);
        wake->watch = NULL;
        fd_closep(&wake->read_fd);
        fd_closep(&wake->write_fd);
}
