/* Internal to preload/accounting*: what is known of the program. The files are: accounting (begin, accept, close, end),
 * accounting_wait (poll and its kind), accounting_guard (who is refused). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "lib/attach.h"
#include "lib/gate.h"
#include "lib/lingering.h"
#include "lib/request.h"

struct accounting_template;

struct accounting {
        pid_t pid; /* 0: off */
        struct attachment attachment;
        struct request_desk desk;
        struct gate gate;
        struct lingering lingering; /* those who were refused in the present call of accept */
        int connection;             /* -1: none is open */
        bool ready, waiting;        /* it has been idle once; it is idle */
        bool polls, woken;          /* the program waits by poll and its kind; an epoll set has just woken it */
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

/* Find what the pool asks of its clients, and where refusals are logged. 0; -errno: nobody may be served. */
int accounting_guard_begin(void);

/* In a worker that was made of a template, which has found the first for it: the desk is another. */
void accounting_guard_renew(void);

/* Is this connection served? False: it has been refused, and is not the program's. */
bool accounting_admits(int connection, const struct address *peer);

/* Before each accept(2) on `fd`: while somebody lingers, until there is something to accept. */
void accounting_linger(int fd);
