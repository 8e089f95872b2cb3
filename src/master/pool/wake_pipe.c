#include "master/pool/wake_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/connection_ring.h"
#include "os/clock.h"

/* Workers write a byte for each flag of the scoreboard that they set, and one now and then for records of connections.
 * Whoever writes more is answered by more turns, none of which is longer than others. */
#define BITE_BYTES 512

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

/* Take out what workers have written. How many bytes there were, and how many of those are about records. */
static ssize_t read_some(const struct wake_pipe *wake, ssize_t *ret_records)
{
        char bite[BITE_BYTES];

        ssize_t length = read(wake->read_fd, bite, sizeof(bite));
        *ret_records = 0;
        for (ssize_t i = 0; i < length; i++)
                *ret_records += bite[i] == CONNECTION_RING_WAKE;
        return length;
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
        ssize_t records;

        ssize_t length = read_some(wake, &records);
        if (length <= 0)
                return;
        count_turn(wake);
        if (records > 0)
                wake->told(wake->context);
        if (records < length || wake->storm)
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
                   wake_records_function *told, void *context)
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
