/* Internal to preload/service* and preload/template: the state of a template, or of a worker made of it. The files are:
 * service (the begin and the end of the worker), service_wait (until a request begins), service_enter (from there into
 * the program), service_hold (the worker's own descriptor
 * of the connection), service_collect (until the request has ended). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/acceptor.h"
#include "lib/attach.h"
#include "lib/gate.h"
#include "lib/lingering.h"
#include "lib/request.h"
#include "lib/sys.h"

#define LISTENERS_MAX 128
#define ALL_SIGNALS UINT64_MAX
#define DUMPABLE_BY_USER 1 /* SUID_DUMP_USER, which has no name outside the kernel */

/* Whose actions the worker changes: those that have a handler, and SIGCHLD, because the copies are its children. */
#define SAVED_MAX 16

/* What the copy that waits tells its worker. The scoreboard will not do: others of the pool can write there. A copy
 * does not have it any more when it goes on into the program. */
struct service_note {
        _Atomic uint64_t begun_ns;       /* a request has begun, then; 0: none has */
        struct connection_record record; /* of its connection, if those are logged */
};

/* As prlimit(2) has it. */
#define SERVICE_LIMITS 8
struct service_limit {
        uint64_t soft, hard;
};

struct service {
        pid_t pid; /* of the worker; 0: there is no service */
        bool stopped;
        struct attachment attachment;
        struct request_desk desk;
        struct service_note *note;
        struct acceptor acceptor;
        int listeners[LISTENERS_MAX];
        size_t listener_count; /* of a worker: they come with its order */
        int board_fd;          /* until it is mapped */
        int access_fd;         /* in a template: the memory of the access rules; -1: there are none, or it is mapped */
        struct gate gate;      /* in a worker … */
        size_t gate_bytes;     /* … and the bytes of all that it has, from the access table on */
        struct lingering lingering;             /* of the process that waits */
        struct client client;                   /* of the present request, from service_wait() on */
        int log_fd, log_read_fd, log_socket_fd; /* -1: there is none */
        int template_fd; /* in a template: its socket to the master; -1: this is none, or not any more */
        int heir_fd;     /* of a worker that will be one: the same; -1: it will not */
        uint64_t heir_after;
        int hold_fds[2]; /* a copy that waits passes its connection to the worker: written, read; -1: it does not */
        int held_fd;     /* of the worker: the connection of the present request; -1: it does not have it */
        int first_own_fd;
        uint64_t program_mask;
        struct sys_sigaction program_actions[SAVED_MAX];
        struct service_limit limits[SERVICE_LIMITS];      /* that the program was started with */
        struct service_limit copy_limits[SERVICE_LIMITS]; /* of a worker: what a copy gets */
        /* Of the program, see prctl(2): a fork does not inherit them, or they are not for its worker. */
        long dumpable;
        int death_signal, subreaper;
        bool has_peer_variables, shares_memory;
        int fast_exit; /* of fast_exit_begin() */
        bool warned;   /* of a shortage that is not over */
        int end_code;
        volatile pid_t copy; /* 0: there is none */
        pid_t ended;         /* the last one */
};

extern struct service service;

/* The service's descriptors: where their numbers are. Those that there are not are negative. */
#define OWN_FDS_MAX (LISTENERS_MAX + 11)
size_t service_list_own(int *own[static OWN_FDS_MAX]);

/* Is that descriptor one of them? */
bool service_owns(int fd);

/* In the worker, before it makes copies: they pass their connections to it, if it holds connections. 0 or -errno. */
int service_hold_begin(void);

/* In the process that accepts: a request with this connection begins. */
void service_hold_connection(int connection);

/* In the worker, when it has its signals: get ready for idle_timeout. 0 or -errno. */
int service_hold_watch(void);

/* In the worker: the request has ended: its connection is closed, and logged if that is wanted. True: it was ended by
 * idle_timeout, and `outcome->end` says so. */
bool service_end_connection(struct connection_record *outcome, uint64_t begun_ns);

/* The signals whose actions are the worker's, and are given back to copies. */
size_t service_list_saved(int signals[static SAVED_MAX]);

/* When the program starts: which limits it has. */
void service_note_limits(void);

/* When a worker starts: which limits its copies get, the pool's. Where the program has set some itself, the lower ones.
 * Returns 0 or -errno. */
int service_choose_limits(void);

/* This process must end with that code. Returns -1. */
int service_end_with(int code);
