#include "master/log/log_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "os/clock.h"
#include "os/net/passed_fd.h"
#include "os/process/spawn.h"

/* About 7,000 lines of 150 bytes; the kernel permits as much to everybody (pipe-max-size), or else a pipe stays as it
 * is. */
#define PIPE_BYTES (1 << 20)

#define RESTART_MIN_MS 100
#define RESTART_MAX_MS 30000
#define LIVES_LONG_MS 10000 /* a process that has lived for so long is no failed start */
#define ANSWER_MS 5000

static int start(struct log_process *process);

static void forget_process(struct log_process *process)
{
        evloop_watch_free(process->watch);
        process->watch = NULL;
        fd_closep(&process->orders_fd);
}

static void free_process(struct log_process *process)
{
        *process->link = process->next;
        if (process->next)
                process->next->link = process->link;
        forget_process(process);
        evloop_timer_free(process->restart_timer);
        evloop_timer_free(process->answer_timer);
        fd_closep(&process->read_fd);
        fd_closep(&process->write_fd);
        free(process->path);
        free(process);
}

void log_process_free_all(struct log_process_setup *setup)
{
        while (setup->first)
                free_process(setup->first);
}

static void tell(const struct log_process *process, const struct log_answer *answer, bool changed)
{
        process->setup->answered(process->setup->context, process, answer, changed);
}

/* Answer for a process that does not. */
static void answer_instead(struct log_process *process, int error, const char *why)
{
        struct log_answer answer = {.number = UINT64_MAX, .error = error, .dropped = process->last.dropped};

        process->is_asked = false;
        evloop_timer_unset(process->answer_timer);
        snprintf(answer.why, sizeof(answer.why), "%s", why);
        tell(process, &answer, false);
}

static void on_no_answer(void *context)
{
        struct log_process *process = context;

        answer_instead(process, ETIMEDOUT,
                       process->pid > 0 ? "the log process does not answer; does a disk not answer?"
                                        : "the log process has ended, and the next one has not begun");
}

static void on_answer(void *context)
{
        struct log_process *process = context;
        struct log_answer answer;

        ssize_t n = recv(process->orders_fd, &answer, sizeof(answer), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n != sizeof(answer)) { /* it ends, and the reaper says why */
                evloop_watch_pause(process->watch);
                return;
        }
        answer.why[sizeof(answer.why) - 1] = '\0';
        bool changed = (answer.error != 0) != (process->last.error != 0);
        process->last = answer;
        if (answer.number >= process->ordered) {
                process->is_asked = false;
                evloop_timer_unset(process->answer_timer);
        }
        tell(process, &answer, changed);
}

static void send_order(const struct log_process *process, const struct log_order *order)
{
        if (process->orders_fd >= 0)
                (void)!send(process->orders_fd, order, sizeof(*order), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_restart(void *context)
{
        struct log_process *process = context;
        uint64_t now_ms = clock_now_ms();

        if (start(process) < 0)
                evloop_timer_set(process->restart_timer,
                                 now_ms + backoff_failure(&process->backoff, now_ms, RESTART_MIN_MS, RESTART_MAX_MS));
}

/* It has ended although nobody told it to. Until the next one has opened the file, nobody can know when records get
 * there. */
static void restart_later(struct log_process *process, pid_t pid, int status)
{
        struct log_answer answer = {.error = ECHILD};
        uint64_t now_ms = clock_now_ms();
        bool changed = process->last.error == 0;

        if (now_ms - process->started_ms >= LIVES_LONG_MS)
                backoff_success(&process->backoff, 1);
        uint64_t delay_ms = backoff_failure(&process->backoff, now_ms, RESTART_MIN_MS, RESTART_MAX_MS);
        if (WIFSIGNALED(status))
                snprintf(answer.why, sizeof(answer.why), "the log process %d was killed by signal %d (%s)", (int)pid,
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
                snprintf(answer.why, sizeof(answer.why), "the log process %d has ended with code %d", (int)pid,
                         WEXITSTATUS(status));
        log_warning("%s; another one begins in %llu ms", answer.why, (unsigned long long)delay_ms);
        process->last = answer;
        tell(process, &answer, changed);
        evloop_timer_set(process->restart_timer, now_ms + delay_ms);
}

static void on_end(void *context, pid_t pid, int status, const struct rusage *usage)
{
        struct log_process *process = context;

        (void)usage;
        process->pid = 0;
        process->dropped_by_earlier += process->last.dropped;
        process->last.dropped = 0;
        forget_process(process);
        if (process->is_closed) {
                struct log_process_setup *setup = process->setup;
                free_process(process);
                setup->ended(setup->context);
        } else if (process->is_replaced) {
                process->is_replaced = false;
                on_restart(process);
        } else
                restart_later(process, pid, status);
}

struct child {
        int (*entry)(const struct log_plan *plan);
        struct log_plan plan;
};

static int run_child(void *context)
{
        const struct child *child = context;

        return child->entry(&child->plan);
}

/* Start a process that reads the pipe. 0 or -errno. */
static int start(struct log_process *process)
{
        struct log_process_setup *setup = process->setup;
        const struct log_order open_order = {.kind = LOG_ORDER_OPEN, .number = process->ordered};
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        _cleanup_(fd_closep) int own_fd = pair[0], child_fd = pair[1];
        struct child child = {.entry = setup->entry,
                              .plan = {.path = process->path,
                                       .records_fd = process->read_fd,
                                       .orders_fd = child_fd,
                                       .master = getpid()}};
        int r = evloop_watch_new(setup->loop, own_fd, on_answer, process, &process->watch);
        if (r == 0)
                r = spawn_child(run_child, &child, &process->pid);
        if (r == 0 && (r = reaper_add(setup->reaper, process->pid, on_end, process)) < 0)
                kill(process->pid, SIGKILL);
        if (r < 0) {
                process->pid = 0;
                forget_process(process);
                return r;
        }
        process->orders_fd = TAKE_FD(own_fd);
        process->started_ms = clock_now_ms();
        if (process->has_settings)
                send_order(process, &process->settings);
        if (process->is_used)
                send_order(process, &open_order);
        return 0;
}

/* Everything but the pipe and the process. NULL: out of memory. */
static struct log_process *make(struct log_process_setup *setup, const char *path)
{
        struct log_process *process = calloc(1, sizeof(*process));

        if (!process)
                return NULL;
        *process = (struct log_process){
                .setup = setup, .path = strdup(path), .read_fd = -1, .write_fd = -1, .orders_fd = -1};
        process->next = setup->first;
        process->link = &setup->first;
        if (process->next)
                process->next->link = &process->next;
        setup->first = process;
        int r = process->path ? 0 : -ENOMEM;
        if (r == 0)
                r = evloop_timer_new(setup->loop, on_restart, process, &process->restart_timer);
        if (r == 0)
                r = evloop_timer_new(setup->loop, on_no_answer, process, &process->answer_timer);
        if (r == 0)
                return process;
        free_process(process);
        return NULL;
}

static int make_pipe(struct log_process *process)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        process->read_fd = fds[0];
        process->write_fd = fds[1];
        (void)!fcntl(process->write_fd, F_SETPIPE_SZ, PIPE_BYTES);
        return 0;
}

int log_process_new(struct log_process_setup *setup, const char *path, struct log_process **ret)
{
        struct log_process *process = make(setup, path);

        if (!process)
                return -ENOMEM;
        int r = make_pipe(process);
        if (r == 0)
                r = start(process);
        if (r < 0) {
                free_process(process);
                return r;
        }
        *ret = process;
        return 0;
}

static void expect_answer(struct log_process *process)
{
        process->is_asked = true;
        evloop_timer_set(process->answer_timer, clock_now_ms() + ANSWER_MS);
}

uint64_t log_process_open(struct log_process *process)
{
        const struct log_order order = {.kind = LOG_ORDER_OPEN, .number = ++process->ordered};

        process->is_used = true;
        expect_answer(process);
        send_order(process, &order); /* or the next process opens it */
        return order.number;
}

void log_process_set(struct log_process *process, int max_priority, bool stamps, bool json)
{
        process->has_settings = true;
        process->settings = (struct log_order){
                .kind = LOG_ORDER_SETTINGS, .max_priority = max_priority, .stamps = stamps, .json = json};
        send_order(process, &process->settings);
}

void log_process_add_source(const struct log_process *process, const char *pool, pid_t worker, int fd)
{
        struct log_order order = {.kind = LOG_ORDER_SOURCE, .worker = worker};

        if (process->orders_fd < 0)
                return;
        snprintf(order.pool, sizeof(order.pool), "%s", pool);
        passed_fd_send(process->orders_fd, &order, sizeof(order), fd);
}

uint64_t log_process_dropped(const struct log_process *process)
{
        return process->dropped_by_earlier + process->last.dropped;
}

static bool has_unread(const struct log_process *process)
{
        int bytes = 0;

        return ioctl(process->read_fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

void log_process_close(struct log_process *process)
{
        static const struct log_order order = {.kind = LOG_ORDER_END};

        if (!process)
                return;
        if (process->is_asked)
                answer_instead(process, ECANCELED, "log_target has changed");
        evloop_timer_unset(process->restart_timer);
        if (process->pid == 0 && has_unread(process))
                start(process); /* for what the last one has left */
        send_order(process, &order);
        forget_process(process);
        fd_closep(&process->write_fd);
        process->is_closed = true;
        if (process->pid == 0) {
                struct log_process_setup *setup = process->setup;
                free_process(process);
                setup->ended(setup->context);
        }
}

int log_process_adopt(struct log_process_setup *setup, const char *path, const struct log_process *known,
                      struct log_process **ret)
{
        struct log_process *process = make(setup, path);
        int r = 0;

        if (!process)
                return -ENOMEM;
        process->read_fd = known->read_fd;
        process->write_fd = known->write_fd;
        process->orders_fd = known->orders_fd;
        process->dropped_by_earlier = known->dropped_by_earlier;
        process->is_asked = known->is_asked;
        process->ordered = MAX_OF(known->ordered, UINT64_C(1)); /* a former program did not count */
        process->last.error = known->last.error;
        snprintf(process->last.why, sizeof(process->last.why), "%s", strerror(known->last.error));
        process->is_used = process->is_replaced = true;
        if (process->write_fd < 0)
                r = make_pipe(process);
        if (r == 0 && known->pid > 0)
                r = reaper_add(setup->reaper, known->pid, on_end, process);
        if (r < 0) {
                free_process(process);
                return r;
        }
        process->pid = known->pid;
        *ret = process;
        return 0;
}

void log_process_begin(struct log_process *process)
{
        if (process->is_asked)
                expect_answer(process);
        if (!process->is_replaced) /* it had ended by itself, and the next one has begun */
                return;
        fd_closep(&process->orders_fd); /* it writes what is in the pipe, and ends */
        if (process->pid > 0)
                return;
        process->is_replaced = false;
        on_restart(process);
}
