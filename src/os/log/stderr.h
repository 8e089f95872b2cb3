/* Records on standard error, written without waiting and without changing it.
 *
 * The open file behind fd 2 is shared: with the shell that started us, with every handler that inherits it. O_NONBLOCK
 * there would make *their* writes fail, so each kind of file gets a way of its own to write without waiting. Owns the
 * descriptors it opened; for log_sink.c. One record is one write of at most PIPE_BUF bytes, so that it never mixes with
 * the lines of others (pipe(7)).
 *
 * A child that goes on logging after fork shares the pipe of LOG_STDERR_SPLICE with its parent: if both log in the same
 * instant one may take the other's line out with its own leftovers, and it is lost uncounted. Neither can wait. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "os/log/line.h"

struct log_record;
struct text;

enum log_stderr_way {
        LOG_STDERR_SEND,   /* a socket: send(MSG_DONTWAIT) */
        LOG_STDERR_WRITE,  /* a regular file, or our own non-blocking reopening of a pipe or terminal: write */
        LOG_STDERR_SPLICE, /* a pipe that may not be opened again: by way of a pipe of our own and splice(2) */
        LOG_STDERR_POLL,   /* any other such file: pwritev2(RWF_NOWAIT) if it knows it, else poll(2), then write */
};

struct log_stderr {
        enum log_stderr_way way;
        struct log_form form;
        int fd;              /* what is written to */
        int own_fd;          /* -1, or the reopening */
        int pipe_fds[2];     /* -1, or the pipe of LOG_STDERR_SPLICE: read end, write end */
        bool journal_stream; /* lines get an sd-daemon(3) prefix and neither name nor level word */
        bool is_file;        /* a regular file, which a disk can keep waiting */
        bool line_is_open;   /* the last line was cut short by a full file: end it first */
};

/* `fd` is borrowed. Lines have time stamps unless the file is the journal, which stamps them itself. 0; -EBADF: not
 * open; -EMFILE, -ENFILE (a pipe of our own was needed). */
int log_stderr_open(int fd, const char *journal_stream, struct log_stderr *ret);

/* Lines into a pipe of our own, which is non-blocking; `fd` is borrowed. */
void log_stderr_of_pipe(int fd, struct log_stderr *ret);

/* Append the line for a record, newline included, at most PIPE_BUF bytes. 0 or -ENOMEM. */
int log_stderr_format(const struct log_stderr *log, struct text *text, const struct log_record *record);

/* Write whole lines, of at most PIPE_BUF bytes together. How many bytes were taken: all, or as much as a socket or a
 * terminal has room for; or -errno as below. */
ssize_t log_stderr_write_some(struct log_stderr *log, const char *bytes, size_t length);

/* Write one line. 0; -EAGAIN: no room for all of it; -EPIPE, -EIO, -ENOSPC …: nobody will read it. */
int log_stderr_write(struct log_stderr *log, const char *bytes, size_t length);

void log_stderr_close(struct log_stderr *log);
