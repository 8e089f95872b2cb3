/* Internal to preload/accounting*: what is known of the program. The files are: accounting (begin, accept, close, end),
 * accounting_wait (poll and its kind). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "lib/attach.h"
#include "lib/request.h"

struct accounting_template;

struct accounting {
        pid_t pid; /* 0: off */
        struct attachment attachment;
        struct request_desk desk;
        int connection;      /* -1: none is open */
        bool ready, waiting; /* it has been idle once; it is idle */
        bool polls, woken;   /* the program waits by poll and its kind; an epoll set has just woken it */
        unsigned refusals;
        const struct accounting_template *template; /* NULL: the program is no template, and of none */
        bool stops;                                 /* it is one that has not stopped yet */
        uint64_t served, heir_after;                /* requests; 0: never */
};

extern struct accounting accounting;

/* How the program is made to end. */
enum attach_retire accounting_retirement(void);

/* Join the idle set; a template stops here before, and returns in its workers. False: the worker must end. */
bool accounting_begin_wait(void);

/* The worker must end, and holds no connection: end the program in the way that the pool has chosen. If it goes on,
 * this is what its call returns. */
long accounting_leave(void);
