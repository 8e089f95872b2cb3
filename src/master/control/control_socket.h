/* The control socket: a UNIX stream socket on which root, our own user and members of control_group send requests. The
 * protocol is preforkd-control(7).
 *
 * Owned by struct daemon; listens if the configuration says so. What must stay true: no client, however slow or silent,
 * and no number of clients can block the master or make it grow without bound. So nothing blocks, a request is a line
 * of at most CONTROL_REQUEST_MAX bytes, there are at most CONTROL_CLIENTS_MAX clients, each has a deadline, and
 * CONTROL_OUTPUT_MAX limits their unsent output together. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"
#include "logic/config/config.h"
#include "master/control/control_client.h"
#include "master/reload/participant.h"
#include "master/state/state_part.h"
#include "os/net/listener.h"

struct control;
struct evloop_watch;
struct evloop_timer;

/* Further clients wait in the backlog, or replace one that we have waited for too long. */
#define CONTROL_CLIENTS_MAX 64

/* What phase one of a reload has prepared. */
struct control_change {
        enum { CONTROL_KEEP, CONTROL_OPEN, CONTROL_ADJUST, CONTROL_CLOSE } what;
        struct listener opened; /* CONTROL_OPEN */
        char *path;
        struct evloop_watch *watch;
};

struct control {
        struct evloop *loop;
        bool listening;
        char *path; /* while listening */
        struct listener listener;
        struct evloop_watch *watch;
        struct evloop_timer *pause; /* until connections are accepted again */
        bool has_group;
        gid_t group;
        struct control_clients clients;
        struct control_change change;
};

/* `loop` is borrowed; requests go to `dispatch`. 0 or -ENOMEM. */
int control_new(struct evloop *loop, const struct control_dispatch *dispatch, struct control **ret);

/* The participant of a reload; the owner is a struct control. If a configured socket cannot be opened, that is a
 * problem; if the default one cannot, preforkd does without it and logs a notice. A dry run does not find out that the
 * group of the socket cannot be changed. */
extern const struct reload_participant control_participant;

/* The part of a hand-over: the socket and its connections. The owner is a struct control. */
extern const struct state_part control_part;

/* Close the socket and every connection; output that can be sent at once is sent. NULL is fine. */
void control_free(struct control *control);
