/* The log plan: everything a new log process is told, and the messages between it and the master afterwards. Data only.
 *
 * It lives here because master/ and logger/ do not know each other. The messages are between two processes of the same
 * program: after an upgrade the new one starts a log process of its own, and all that it tells the old one is the end
 * of file of its orders, upon which that one writes what is in the pipe and ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct log_plan {
        const char *path; /* the file */
        int records_fd;   /* the reading end of the master's pipe: whole lines, ended by newlines */
        int orders_fd;    /* a socket: orders in, answers out, one a datagram */
        pid_t master;     /* whose end is looked for in /proc */
};

enum log_order_kind {
        LOG_ORDER_OPEN,     /* open the file (anew), and answer. Nothing is written before the first */
        LOG_ORDER_SETTINGS, /* how records of workers are written from now on */
        LOG_ORDER_SOURCE,   /* a worker's socket comes with it, from which its records are read */
        LOG_ORDER_END,      /* write what has been sent, and end */
};

/* The longest name of a pool, its NUL included. */
#define LOG_POOL_NAME_MAX 64

struct log_order {
        enum log_order_kind kind;
        uint64_t number;              /* OPEN: returned in the answer; not 0 */
        int max_priority;             /* SETTINGS: LOG_… of <syslog.h> */
        bool stamps;                  /* SETTINGS: lines have the time … */
        bool json;                    /* … and are JSON */
        pid_t worker;                 /* SOURCE */
        char pool[LOG_POOL_NAME_MAX]; /* SOURCE */
};

/* Sent after each OPEN, whenever the file cannot be written any more or can be written again, and now and then while
 * lines are dropped. */
struct log_answer {
        uint64_t number;  /* of the OPEN that it answers; 0: it answers none */
        int error;        /* 0: the file can be opened and written; else an errno */
        bool writes;      /* lines are written; with an error: to the file as it was opened before */
        uint64_t dropped; /* lines that were not written, since the process began */
        char why[160];    /* with an error: an explanation */
};
