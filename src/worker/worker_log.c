#include "worker/worker_log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* At most PIPE_BUF, so that a write is atomic. poll(2) reports a pipe as writable if PIPE_BUF bytes fit. */
#define LINE_MAX_BYTES 1024

static void write_record(void *context, const struct log_record *record)
{
        int fd = (int)(intptr_t)context;
        char line[LINE_MAX_BYTES];
        struct pollfd poller = {.fd = fd, .events = POLLOUT};

        int length = snprintf(line, sizeof(line) - 1, "<%d>%s", record->priority, record->message);
        if (length < 0 || poll(&poller, 1, 0) != 1 || !(poller.revents & POLLOUT))
                return;
        if ((size_t)length > sizeof(line) - 2)
                length = (int)sizeof(line) - 2;
        line[length++] = '\n';
        ssize_t written = write(fd, line, (size_t)length);
        (void)written;
}

int worker_log_open_reader(int write_fd)
{
        char path[32];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", write_fd);
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        /* It stays ours, so that handlers cannot change the mode back; and this needs no capability, as chown does. */
        int ignored = fchmod(write_fd, S_IWUSR | S_IWGRP | S_IWOTH);
        (void)ignored;
        return fd;
}

void worker_log_start(int fd)
{
        const struct log_sink sink = {.write = write_record, .context = (void *)(intptr_t)fd};

        log_set_sink(&sink, LOG_DEBUG); /* the master's sink applies log_level */
}
