#include "master/pool/wake_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"

/* Workers write a byte for each flag of the scoreboard that they set, so this is more than a turn ever finds. Whoever
 * writes more is answered by more turns, none of which is longer than others. */
#define BITE_BYTES 512

static void on_readable(void *context)
{
        struct wake_pipe *wake = context;
        uint64_t now_ms = clock_now_ms();
        char bite[BITE_BYTES];

        ssize_t ignored = read(wake->read_fd, bite, sizeof(bite));
        (void)ignored;
        struct wake_verdict verdict = wake_limit_note(&wake->limit, now_ms);
        if (verdict.pause) {
                evloop_watch_pause(wake->watch);
                evloop_timer_set(wake->pause, now_ms + WAKE_LIMIT_PAUSE_MS);
        }
        wake->woken(wake->context, verdict.tell);
}

/* What came meanwhile is still there. */
static void on_pause_over(void *context)
{
        struct wake_pipe *wake = context;

        evloop_watch_resume(wake->watch);
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
