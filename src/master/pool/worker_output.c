#include "master/pool/worker_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "logic/protocol/line_splitter.h"
#include "master/loop/evloop.h"
#include "master/pool/output_group.h"
#include "os/clock.h"

#define BITE_BYTES 16384
#define UNFINISHED_MS 200 /* an unfinished line is logged after this: the handler waits or has ended */
#define AGAIN_MS 200      /* a read that failed is tried again after this */

struct worker_output {
        struct evloop *loop;
        struct worker_output *next, **link;
        struct output_group *group; /* those of the same pool */
        pid_t worker_pid;           /* 0: not known yet */
        bool outlives;              /* the worker has ended */
        int fd;
        struct evloop_watch *watch;
        struct evloop_timer *timer;       /* of an unfinished line, or of a failed read; created when first needed */
        struct evloop_timer *pause_timer; /* this one, too */
        size_t lines;                     /* of the present bite */
        struct line_splitter splitter;
};

static void log_line(void *context, const struct line *line)
{
        struct worker_output *output = context;
        const struct log_fields fields = {.pool = output->group->pool_name, .worker_pid = output->worker_pid};
        int priority = line->priority >= 0 ? line->priority : LOG_NOTICE;

        output->lines++;
        if (log_wants(priority) && output_group_may_log(output->group, line->length))
                log_emit(priority, &fields, "%s%s", line->bytes, line->cut ? " [cut]" : "");
}

static void output_free(struct worker_output *output)
{
        line_splitter_flush(&output->splitter, log_line, output);
        line_splitter_clear(&output->splitter);
        output->group->outlived -= output->outlives;
        *output->link = output->next;
        if (output->next)
                output->next->link = output->link;
        evloop_timer_free(output->timer);
        evloop_timer_free(output->pause_timer);
        evloop_watch_free(output->watch);
        fd_closep(&output->fd);
        output_group_leave(output->group);
        free(output);
}

static void on_timer(void *context)
{
        struct worker_output *output = context;

        line_splitter_flush(&output->splitter, log_line, output);
        evloop_watch_resume(output->watch);
}

static int need_timer(struct worker_output *output)
{
        return output->timer ? 0 : evloop_timer_new(output->loop, on_timer, output, &output->timer);
}

static void watch_unfinished(struct worker_output *output)
{
        if (output->splitter.pending && need_timer(output) == 0)
                evloop_timer_set(output->timer, clock_now_ms() + UNFINISHED_MS);
        else if (output->timer)
                evloop_timer_unset(output->timer);
}

/* What cannot be read now is not given up, because nobody else would read it: its writers would be killed by SIGPIPE.
 */
static void read_later(struct worker_output *output)
{
        if (need_timer(output) < 0)
                return;
        evloop_watch_pause(output->watch);
        evloop_timer_set(output->timer, clock_now_ms() + AGAIN_MS);
}

/* Read one bite. False when the last writer has closed the pipe. */
static bool read_some(struct worker_output *output, ssize_t *ret_length)
{
        char buffer[BITE_BYTES];

        output->lines = 0;
        *ret_length = read(output->fd, buffer, sizeof(buffer));
        if (*ret_length > 0) {
                line_splitter_feed(&output->splitter, buffer, (size_t)*ret_length, log_line, output);
                output_group_note_read(output->group, (size_t)*ret_length, output->lines);
        }
        return *ret_length != 0;
}

static void on_pause_over(void *context)
{
        const struct worker_output *output = context;

        evloop_watch_resume(output->watch);
}

/* True if the pool writes too much: this pipe is read after a while. Without memory for the timer it is read now. */
static bool has_paused(struct worker_output *output)
{
        unsigned pause_ms = output_group_read_pause_ms(output->group);

        if (pause_ms == 0 ||
            (!output->pause_timer && evloop_timer_new(output->loop, on_pause_over, output, &output->pause_timer) < 0))
                return false;
        evloop_watch_pause(output->watch);
        evloop_timer_set(output->pause_timer, clock_now_ms() + pause_ms);
        return true;
}

static void on_readable(void *context)
{
        struct worker_output *output = context;
        ssize_t length;

        if (output->worker_pid == 0)
                evloop_watch_pause(output->watch); /* a template has made the worker, and has yet to say so */
        if (output->worker_pid == 0 || has_paused(output))
                return;
        if (!read_some(output, &length))
                output_free(output);
        else if (length > 0 || errno == EAGAIN || errno == EINTR)
                watch_unfinished(output);
        else
                read_later(output);
}

/* Take over the reading end `fd`, and read it from the next turn of the loop on. 0 with *ret; -errno: `fd` is closed.
 */
static int start(struct worker_outputs *outputs, const char *name, int fd, struct worker_output **ret)
{
        struct worker_output *output = calloc(1, sizeof(*output));
        _cleanup_(fd_closep) int owned_fd = fd;
        struct output_group *group = output_group_join(&outputs->groups, outputs->loop, name);
        int r = output && group ? 0 : -ENOMEM;

        /* The writing end is a separate open file and stays blocking, so that a handler that writes too much waits. */
        if (r == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                r = -errno;
        if (r == 0)
                r = evloop_watch_new(outputs->loop, fd, on_readable, output, &output->watch);
        if (r < 0) {
                if (group)
                        output_group_leave(group);
                free(output);
                return r;
        }
        output->loop = outputs->loop;
        output->group = group;
        output->fd = TAKE_FD(owned_fd);
        output->next = outputs->first;
        output->link = &outputs->first;
        if (output->next)
                output->next->link = &output->next;
        outputs->first = output;
        *ret = output;
        return 0;
}

void worker_output_limit(const struct worker_outputs *outputs, const struct pool_config *pool)
{
        struct output_group *group = output_group_find(outputs->groups, pool->name);

        if (group)
                output_group_set_rate(group, &pool->stderr_rate_limit);
}

int worker_output_open(struct worker_outputs *outputs, const struct pool_config *pool, struct worker_output **ret,
                       int *ret_write_fd)
{
        int log_pipe[2];

        if (pipe2(log_pipe, O_CLOEXEC) < 0)
                return -errno;
        _cleanup_(fd_closep) int write_fd = log_pipe[1];
        int r = start(outputs, pool->name, log_pipe[0], ret);
        if (r < 0)
                return r;
        worker_output_limit(outputs, pool);
        *ret_write_fd = TAKE_FD(write_fd);
        return 0;
}

void worker_output_begin(struct worker_output *output, pid_t worker_pid)
{
        output->worker_pid = worker_pid;
        evloop_watch_resume(output->watch);
}

static void set_outlives(struct worker_output *output)
{
        output->group->outlived += !output->outlives;
        output->outlives = true;
}

/* What is there now, at most what a pipe holds: somebody may still be writing. False when the last writer is gone. */
static bool read_rest(struct worker_output *output)
{
        ssize_t length = 1;
        bool is_held = true;

        for (int bite = 0; bite < 5 && is_held && length > 0; bite++)
                is_held = read_some(output, &length);
        return is_held;
}

void worker_output_cancel(struct worker_output *output)
{
        if (!output)
                return;
        read_rest(output);
        output_free(output);
}

/* The list begins with the youngest. */
static struct worker_output *oldest_outlived(const struct worker_outputs *outputs, const struct output_group *group)
{
        struct worker_output *oldest = NULL;

        for (struct worker_output *output = outputs->first; output; output = output->next)
                if (output->group == group && output->outlives)
                        oldest = output;
        return oldest;
}

void worker_output_outlive(struct worker_outputs *outputs, const char *pool_name, pid_t worker_pid, uint64_t most)
{
        struct worker_output *output = outputs->first;

        while (output && (output->worker_pid != worker_pid || output->outlives ||
                          strcmp(output->group->pool_name, pool_name) != 0))
                output = output->next;
        if (!output)
                return;
        set_outlives(output);
        while (output->group->outlived > most) {
                struct worker_output *oldest = oldest_outlived(outputs, output->group);
                bool is_last = oldest == output;
                if (read_rest(oldest)) /* else it would have gone at the next turn of the loop */
                        output_group_note_closed(oldest->group);
                output_free(oldest);
                if (is_last)
                        return;
        }
}

static const struct field output_fields[] = {
        DERIVED(struct worker_outputs, loop, "set by the reader"),
        WRITTEN(struct worker_outputs, first, "worker_outputs"),
        DERIVED(struct worker_outputs, groups,
                "created by the outputs; limited by the pools; their budgets begin anew"),
        DERIVED(struct worker_output, loop, "set by the reader"),
        DERIVED(struct worker_output, next, "the order of the list"),
        DERIVED(struct worker_output, link, "the order of the list"),
        DERIVED(struct worker_output, group, "joined again by the name of the pool"),
        FIELD(struct worker_output, worker_pid, "worker"),
        FIELD(struct worker_output, outlives, "outlives"),
        WRITTEN(struct worker_output, fd, "fd"),
        DERIVED(struct worker_output, watch, "made anew"),
        DERIVED(struct worker_output, timer, "made anew if there is an unfinished line"),
        DERIVED(struct worker_output, pause_timer, "a pause ends with the program"),
        DERIVED(struct worker_output, lines, "of one bite"),
        WRITTEN(struct worker_output, splitter.pending, "begun"),
        DERIVED(struct worker_output, splitter.length, "the length of the unfinished line"),
        FIELD(struct worker_output, splitter.swallowing, "swallowing"),
        FIELD(struct worker_output, splitter.swallowed_bytes, "swallowed_bytes"),
};

static json_t *write_output(const struct worker_output *output, struct state_file *file)
{
        const struct line_splitter *splitter = &output->splitter;
        json_t *object = state_file_fields(output_fields, ELEMENTS(output_fields), output);
        int r = state_file_set(object, "pool", state_file_string(output->group->pool_name));

        if (r == 0)
                r = state_file_set(object, "fd", state_file_descriptor(file, output->fd));
        if (r == 0)
                r = state_file_set(object, "begun", state_file_bytes(splitter->pending, splitter->length));
        return state_file_finish(object, r);
}

static json_t *write_part(const void *owner, struct state_file *file)
{
        const struct worker_outputs *outputs = owner;
        json_t *array = json_array();
        int r = 0;

        /* A worker that waits for its launch has no process that writes. */
        for (const struct worker_output *output = outputs->first; r == 0 && output; output = output->next)
                if (output->worker_pid > 0)
                        r = state_file_append(array, write_output(output, file));
        return state_file_finish(array, r);
}

static int read_output(struct worker_outputs *outputs, struct state_file *file, const json_t *object)
{
        struct worker_output read = {0};
        _cleanup_(freep) char *pool_name = NULL;
        _cleanup_(text_clear) struct text begun = {0};
        int fd;

        int r = state_file_read_fields(file, output_fields, ELEMENTS(output_fields), object, &read);
        if (r == 0)
                r = state_file_read_string(file, object, "pool", &pool_name);
        if (r == 0)
                r = state_file_read_bytes(file, object, "begun", &begun);
        if (r == 0)
                r = state_file_take_descriptor(file, object, "fd", &fd);
        if (r != 0)
                return r;
        struct worker_output *output;
        r = start(outputs, pool_name, fd, &output);
        if (r < 0)
                return r;
        output->worker_pid = read.worker_pid;
        line_splitter_feed(&output->splitter, text_string(&begun), begun.length, log_line, output);
        output->splitter.swallowing = read.splitter.swallowing;
        output->splitter.swallowed_bytes = read.splitter.swallowed_bytes;
        if (read.outlives)
                set_outlives(output);
        watch_unfinished(output);
        return 0;
}

static int read_part(void *owner, struct state_file *file, const json_t *array)
{
        int r = 0;

        /* Each is put first. */
        for (size_t i = json_array_size(array); i-- > 0 && r == 0;)
                r = read_output(owner, file, json_array_get(array, i));
        return r;
}

const struct state_part worker_output_part = {.name = "worker_outputs", .write = write_part, .read = read_part};

void worker_output_finish_all(struct worker_outputs *outputs)
{
        while (outputs->first) {
                read_rest(outputs->first);
                output_free(outputs->first);
        }
}
