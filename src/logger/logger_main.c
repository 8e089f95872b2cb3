#include "logger/logger_main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logger/log_writer.h"
#include "logger/worker_sources.h"
#include "logic/protocol/log_plan.h"
#include "os/clock.h"
#include "os/net/passed_fd.h"
#include "os/process/capability.h"
#include "os/process/open_fds.h"
#include "os/process/process_stat.h"
#include "os/process/title.h"

#define BUFFER_SIZE 65536
#define EVENTS_MAX 16
#define TELL_AGAIN_MS 1000 /* how many lines were dropped meanwhile */
#define END_POLL_MS 10
#define END_PATIENCE_MS 2000 /* a child of the master may have the pipe, too */
#define PIPE_READS_MAX 32    /* of BUFFER_SIZE: what a pipe holds, and more; then orders are read again */

struct logger {
        const struct log_plan *plan;
        struct log_writer writer;
        struct worker_sources sources;
        bool has_file; /* it was told to open it */
        int told_error;
        uint64_t told_ms;
        bool must_end, orders_ended, records_ended;
        size_t length; /* of the line begun in `buffer` */
        char buffer[BUFFER_SIZE];
};

static int error_of(const struct log_writer *writer)
{
        return writer->write_error != 0 ? writer->write_error : writer->open_error;
}

/* `number`: of the order to open the file that it answers, or 0. Also if the master does not read them: it asks again,
 * or has died. */
static void answer(struct logger *logger, uint64_t number)
{
        const struct log_writer *writer = &logger->writer;
        struct log_answer answer = {.number = number,
                                    .error = error_of(writer),
                                    .writes = log_writer_writes(writer),
                                    .dropped = writer->dropped};

        if (answer.error != 0)
                memcpy(answer.why, writer->why, sizeof(answer.why));
        logger->told_error = answer.error;
        logger->told_ms = clock_now_ms();
        (void)!send(logger->plan->orders_fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void write_lines(struct logger *logger, const char *bytes, size_t length)
{
        const struct log_writer *writer = &logger->writer;
        uint64_t dropped = writer->dropped;

        log_writer_write(&logger->writer, bytes, length);
        if (error_of(writer) != logger->told_error ||
            (writer->dropped != dropped && clock_now_ms() >= logger->told_ms + TELL_AGAIN_MS))
                answer(logger, 0);
}

/* Read what is in the master's pipe, once. False when there is nothing. */
static bool read_records(struct logger *logger)
{
        ssize_t n = read(logger->plan->records_fd, logger->buffer + logger->length, BUFFER_SIZE - logger->length);

        logger->records_ended = n == 0;
        if (n <= 0)
                return false;
        logger->length += (size_t)n;
        const char *newline = memrchr(logger->buffer, '\n', logger->length);
        size_t whole = newline ? (size_t)(newline - logger->buffer) + 1 : 0;
        if (whole == 0 && logger->length == BUFFER_SIZE)
                whole = BUFFER_SIZE; /* no line is that long */
        write_lines(logger, logger->buffer, whole);
        memmove(logger->buffer, logger->buffer + whole, logger->length - whole);
        logger->length -= whole;
        return true;
}

static void open_file(struct logger *logger, uint64_t number)
{
        /* Lines that were written before the order belong into the file that was open then. */
        for (int i = 0; i < PIPE_READS_MAX && logger->has_file && read_records(logger); i++)
                ;
        logger->has_file = true;
        log_writer_open(&logger->writer);
        answer(logger, number);
}

static void set(struct logger *logger, const struct log_order *order)
{
        logger->writer.form = logger->sources.form = (struct log_form){.stamps = order->stamps, .json = order->json};
        logger->sources.max_priority = order->max_priority;
}

static void read_orders(struct logger *logger)
{
        struct log_order order = {0};
        _cleanup_(fd_closep) int fd = -1;

        int r = passed_fd_receive(logger->plan->orders_fd, &order, sizeof(order), &fd);
        if (r < 0) {
                logger->orders_ended |= r != -EAGAIN && r != -EPROTO;
                return;
        }
        order.pool[sizeof(order.pool) - 1] = '\0';
        if (order.kind == LOG_ORDER_OPEN)
                open_file(logger, order.number);
        else if (order.kind == LOG_ORDER_SETTINGS)
                set(logger, &order);
        else if (order.kind == LOG_ORDER_SOURCE && fd >= 0)
                worker_sources_add(&logger->sources, &order, TAKE_FD(fd));
        else if (order.kind == LOG_ORDER_END)
                logger->must_end = true;
}

static void wait_and_read(struct logger *logger)
{
        _cleanup_(text_clear) struct text lines = {0};
        struct epoll_event events[EVENTS_MAX];

        int count = epoll_wait(logger->sources.epoll_fd, events, EVENTS_MAX,
                               worker_sources_patience_ms(&logger->sources, clock_now_ms()));
        for (int i = 0; i < count; i++) {
                if (events[i].data.ptr == &logger->plan->records_fd)
                        read_records(logger);
                else if (events[i].data.ptr == &logger->plan->orders_fd)
                        read_orders(logger);
                else
                        worker_source_read(&logger->sources, events[i].data.ptr, &lines);
        }
        worker_sources_look(&logger->sources, clock_now_ms(), &lines);
        write_lines(logger, text_string(&lines), lines.length);
}

static int watch(const struct logger *logger, const int *fd)
{
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)(uintptr_t)fd};

        return epoll_ctl(logger->sources.epoll_fd, EPOLL_CTL_ADD, *fd, &event) < 0 ? -errno : 0;
}

static void forget(const struct logger *logger, int fd)
{
        epoll_ctl(logger->sources.epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* The kernel closes what a dead master had one after the other, and the pipe may come after the orders. */
static void await_end_of_records(struct logger *logger)
{
        struct pollfd poller = {.fd = logger->plan->records_fd, .events = POLLIN};
        uint64_t until_ms = clock_now_ms() + END_PATIENCE_MS;

        while (!logger->records_ended && clock_now_ms() < until_ms && process_is_ending(logger->plan->master))
                if (poll(&poller, 1, END_POLL_MS) == 1)
                        read_records(logger);
}

static int run(struct logger *logger)
{
        _cleanup_(text_clear) struct text lines = {0};

        int r = watch(logger, &logger->plan->records_fd);
        if (r == 0)
                r = watch(logger, &logger->plan->orders_fd);
        if (r < 0)
                return EXIT_FAILURE;
        while (!logger->must_end && !logger->orders_ended)
                wait_and_read(logger);
        forget(logger, logger->plan->orders_fd);
        /* Another process reads on, if somebody is still writing; but not in the middle of a line. */
        for (int i = 0; (i < PIPE_READS_MAX || logger->length > 0) && read_records(logger); i++)
                ;
        if (!logger->must_end)
                await_end_of_records(logger);
        forget(logger, logger->plan->records_fd);
        /* The master has died, and with it both ends: workers finish their requests. */
        while (!logger->must_end && logger->records_ended && logger->sources.first)
                wait_and_read(logger);
        worker_sources_end(&logger->sources, &lines);
        write_lines(logger, text_string(&lines), lines.length);
        log_writer_close(&logger->writer);
        return EXIT_SUCCESS;
}

/* A copy of the master becomes a process that can write a file as the master's user, and not much more. The master's
 * signals stay blocked: its end comes by the end of its orders, and a log that has reached RLIMIT_FSIZE is no end. */
static int set_up(const struct log_plan *plan)
{
        const int keep[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, plan->records_fd, plan->orders_fd};
        struct rlimit files;

        process_title_set("log (%s)", plan->path);
        setsid(); /* a forked child leads no group, so this cannot fail */
        int r = fds_close_all_except(keep, ELEMENTS(keep));
        if (r < 0)
                return r;
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0)
                return -errno;
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (dup2(null_fd, fd) < 0)
                        return -errno;
        close(null_fd);
        if (chdir("/") < 0)
                return -errno;
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* a socket a worker */
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
        (void)capability_drop_all(); /* as far as a filter of system calls permits: it needs none of them */
        return 0;
}

int logger_main(const struct log_plan *plan)
{
        _cleanup_(freep) struct logger *logger = calloc(1, sizeof(*logger));
        _cleanup_(fd_closep) int epoll_fd = -1;

        if (!logger || set_up(plan) < 0)
                return EXIT_FAILURE;
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (epoll_fd < 0)
                return EXIT_FAILURE;
        logger->plan = plan;
        logger->writer = (struct log_writer){.path = plan->path, .fd = -1, .form.stamps = true};
        logger->sources = (struct worker_sources){.epoll_fd = epoll_fd, .max_priority = LOG_INFO, .form.stamps = true};
        return run(logger);
}
