/* The log process as the master knows it: the pipe that leads to it, its orders and answers, its end and the next one.
 *
 * Owned by struct daemon, one for `log_target = file:PATH`. The master writes lines into a pipe without waiting
 * (os/log/sink) and holds both of its ends, but never reads: what a log process has not read when it is killed is there
 * for the next one, which is started after a delay that doubles. What must stay true: nothing here waits, and no error
 * of the log process is one of the master's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/policy/backoff.h"
#include "logic/protocol/log_plan.h"

struct evloop;
struct evloop_timer;
struct evloop_watch;
struct log_process;
struct reaper;

/* What it needs of the daemon, and what it reports. Outlives all log processes. */
struct log_process_setup {
        struct evloop *loop;
        struct reaper *reaper;
        int (*entry)(const struct log_plan *plan); /* runs in the child; its result is the exit code */
        void *context;
        /* It has opened the file or could not (`number`), or does not answer (ETIMEDOUT; it will answer no order); or
         * the file cannot be written any more, or can again (`changed`). */
        void (*answered)(void *context, const struct log_process *process, const struct log_answer *answer,
                         bool changed);
        void (*ended)(void *context); /* one that was closed has written all it was sent and has ended */
        struct log_process *first;    /* list of all, with those that have been closed and have not ended */
};

struct log_process {
        struct log_process_setup *setup; /* borrowed */
        struct log_process *next, **link;
        char *path;
        int read_fd, write_fd; /* of the pipe; read_fd is the next log process's */
        int orders_fd;         /* -1: there is no process, or it was told to end */
        pid_t pid;             /* 0: there is none at present */
        struct evloop_watch *watch;
        struct evloop_timer *restart_timer, *answer_timer;
        struct backoff backoff;
        uint64_t started_ms;
        bool is_used;     /* the file is to be opened and written */
        bool is_asked;    /* somebody waits for the answer to log_process_open() */
        uint64_t ordered; /* the number of the last */
        bool is_replaced; /* it was told to end, and the next one is to begin at once */
        bool is_closed;   /* this frees itself when the process has ended */
        bool has_settings;
        struct log_order settings;   /* the last */
        struct log_answer last;      /* … answer */
        uint64_t dropped_by_earlier; /* lines that processes before this one did not write */
};

/* Make the pipe and start a process, which touches no file before log_process_open(). `setup` is borrowed, `path`
 * copied. 0; -ENOMEM, -EMFILE, -EAGAIN and the like (pipe2(2), socketpair(2), fork(2)). */
int log_process_new(struct log_process_setup *setup, const char *path, struct log_process **ret);

/* Open the file, or open it anew, after all lines that were written so far. The number of the order, which is not 0:
 * setup->answered() is called with that or a higher one. An answer with a lower one is to an earlier order, and says
 * nothing of the file that there is now. */
uint64_t log_process_open(struct log_process *process);

/* How records of workers are written from now on: up to which priority, with time stamps or without, and as JSON or in
 * words. */
void log_process_set(struct log_process *process, int max_priority, bool stamps, bool json);

/* Pass the reading end of a worker's socket on, which is borrowed. Where that is not possible, the worker notices. */
void log_process_add_source(const struct log_process *process, const char *pool, pid_t worker, int fd);

/* Lines that were not written to the file, by the present process and those before it. */
uint64_t log_process_dropped(const struct log_process *process);

/* Let the process write what it was sent, and end. The structure frees itself afterwards; `process` may be NULL. */
void log_process_close(struct log_process *process);

/* Free all, also those that have been closed, whatever their processes do. */
void log_process_free_all(struct log_process_setup *setup);

/* Adopt the pipe and the process of the program before an upgrade: what `known` has of descriptors and the pid, which
 * may be -1 and 0, and of the counts. 0; -ENOMEM, -EMFILE, -EEXIST: the hand-over fails, which restores the
 * descriptors. Without effect outside this process. */
int log_process_adopt(struct log_process_setup *setup, const char *path, const struct log_process *known,
                      struct log_process **ret);

/* Let an adopted process end, and the next one begin. */
void log_process_begin(struct log_process *process);
