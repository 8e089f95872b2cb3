/* A template: the process of a pool in which the handler is loaded and stopped, and of which workers are made. This is
 * the process and its socket: start, orders, answers, end.
 *
 * Owned by the pool, in a list; launcher_template decides. What must stay true: the master never waits for it. It runs
 * the handler's code, so it may lie: a worker is believed only if the kernel says that it has the pool's user, and the
 * reaper that it is an unknown child of the master. Whoever is caught lying is killed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "lib/template_words.h"
#include "master/pool/pool_runtime.h"

struct evloop_timer;
struct evloop_watch;
struct pool_config;
struct template;
struct template_launch;

/* Those of a pool, and the launches that wait for one; written by launcher_template. Zero-initialise. */
struct templates {
        struct template *first;           /* the newest first */
        struct template_launch *launches; /* in the order of their beginning */
        struct evloop_timer *timer;       /* the next look */
        uint64_t not_before_ms;           /* no template is started earlier */
        uint64_t born;                    /* when the first was forked, as children_born() */
        uid_t uid;                        /* of the last one */
        uint64_t proven;                  /* the generation in which one was ready last; 0: none was */
        uint64_t crashes;                 /* of the pool's handlers, when the last one was started */
        uint32_t last_launch;
        struct template *heir; /* a worker that will be one; NULL: there is none */
        uint32_t heir_launch;  /* by which it is made */
        uint64_t heirless;     /* the last generation whose workers cannot be templates */
        bool suspects;         /* somebody may have made children of the master since the last look */
        bool wanted;           /* there was a launch: a template is kept from then on */
};

enum template_state {
        TEMPLATE_STARTING,
        TEMPLATE_SERVING, /* an heir: a worker so far */
        TEMPLATE_READY,   /* at its point: carries out orders */
        TEMPLATE_ENDING,  /* ended, or being ended; the answers to its last orders may still come */
        TEMPLATE_STATE_COUNT
};

/* Why it ends. */
enum template_end {
        TEMPLATE_END_ORDERED,
        TEMPLATE_END_EXITED,  /* by itself: `status` */
        TEMPLATE_END_FAILED,  /* it has said why: `stage` and `error` */
        TEMPLATE_END_LATE,    /* start_timeout */
        TEMPLATE_END_SILENT,  /* it does not answer */
        TEMPLATE_END_STOPPED, /* by a signal */
        TEMPLATE_END_RENEWED, /* a copy has crashed: the next has another layout */
        TEMPLATE_END_LIED,
        TEMPLATE_END_COUNT
};

struct template_host {
        void *context;
        void (*ready)(void *context, struct template *template);
        /* An heir has left the rotation: its worker is no more. 0: template_take() has been called; -errno: it is not
         * wanted. */
        int (*inherits)(void *context, struct template *template);
        /* An heir serves on, because it cannot be copied (`refused`), or has gone: call template_free(). */
        void (*declined)(void *context, struct template *template, bool refused);
        /* The launch of that number has a worker, `pid`, or has failed. 0; -ESRCH: nobody ordered it; -ECHILD: it
         * cannot be, and has failed. */
        int (*answered)(void *context, struct template *template, uint32_t launch, pid_t pid, int error);
        void (*ending)(void *context, struct template *template);
        /* Its process has gone, and nothing more will be answered: call template_free(). */
        void (*gone)(void *context, struct template *template);
};

struct template
{
        struct template *next;
        struct template_host host;
        const struct pool_runtime *runtime;
        const char *pool_name; /* borrowed */
        uint64_t max_outlived; /* pipes of the pool that stay */
        uint64_t generation;
        uint64_t started_ms, timeout_ms;
        uint64_t since_ms; /* in its present state */
        pid_t pid;
        uid_t uid;
        uint64_t born; /* when it was forked, as children_born() */
        enum template_state state;
        enum template_end end;
        bool was_ready;
        bool is_heir;
        bool declines, refused;
        uint64_t requests;   /* that an heir has served */
        struct rusage usage; /* when it has ended */
        bool loaded;         /* the preload object is in the program */
        bool reaped;
        bool shut; /* nobody else has its socket any more */
        bool over; /* its last answers have had their time */
        int status;
        uint32_t stage, error;
        uint32_t refusal;   /* touch_refusal_pack(), as it says */
        unsigned in_flight; /* orders without an answer */
        size_t listeners;   /* that it was started with: the program has places for as many */
        int fd;
        struct evloop_watch *watch;
        struct evloop_timer *timer;
};

/* What a template is started with. */
struct template_setup {
        const struct pool_runtime *runtime;
        const struct pool_config *config;
        const char *pool_name;
        uint64_t generation;
        int family;           /* the address family of its connections */
        const int *listeners; /* of a handler that accepts itself; else there are none */
        size_t listener_count;
        struct template_host host;
};

/* Start one. 0 or -errno. */
int template_start(const struct template_setup *setup, struct template **ret);

/* Expect that a worker becomes one; *ret_fd is what it says so with, and the caller's. 0 or -errno. */
int template_expect(const struct template_setup *setup, int *ret_fd, struct template **ret);

/* In host.inherits(): its process is registered with the reaper for `worker`, and from now on for it. 0; -ESRCH: it is
 * not, or has ended. */
int template_take(struct template *template, const void *worker, uint64_t generation);

/* Order a worker; the descriptors stay the caller's. 0; -EAGAIN, -ETOOMANYREFS and others: not now. */
int template_order(struct template *template, const struct template_order *order, const int *fds, size_t count);

/* End it: it makes no more workers. host.ending() is called, and later host.gone(). No effect if it is ending. */
void template_end(struct template *template, enum template_end why);

void template_free(struct template *template);

/* Free what a pool that goes has left. */
void templates_clear(struct templates *templates);

/* Kill the children of the master that nobody ordered: those with that real user and no older than `born`
 * (children_born(); 0: not known, none is killed) that the reaper does not know. Returns how many. Call it while no
 * order of any template is in flight. */
unsigned template_kill_strangers(const struct pool_runtime *runtime, uid_t uid, uint64_t born);

/* "starting", "serving", "ready", "ending". */
const char *template_state_name(enum template_state state);
