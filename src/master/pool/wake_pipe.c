#include "master/pool/wake_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"

/* Workers write a byte for each flag of the scoreboard that they set, so this is more than a turn ever finds. Whoever
 * writes more is answered by more turns, none of which is longer than others. */
#define BITE_BYTES 512

/* One turn more; if there were too many, nobody watches for a while. */
static void count_turn(struct wake_pipe *wake)
{
        uint64_t now_ms = clock_now_ms();
        struct wake_verdict verdict = wake_limit_note(&wake->limit, now_ms);

        wake->storm |= verdict.tell;
        if (!verdict.pause)
                return;
        evloop_watch_pause(wake->watch);
        evloop_timer_set(wake->pause, now_ms + WAKE_LIMIT_PAUSE_MS);
        wake->paused = true;
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
        char bite[BITE_BYTES];

        ssize_t ignored = read(wake->read_fd, bite, sizeof(bite));
        (void)ignored;
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
                   void *context)
{
        int fds[2] = {read_fd, write_fd};

        int r = read_fd < 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
        *wake = (struct wake_pipe){.read_fd = fds[0], .write_fd = fds[1], .woken = woken, .context = context};
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
