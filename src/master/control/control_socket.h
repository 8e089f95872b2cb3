/* The control socket: a UNIX stream socket on which root, our own user and control_group ask and order. The protocol is
 * preforkd-control(7).
 *
 * Owned by struct daemon from the start; listens when a configuration says so. What must stay true: no client, however
 * slow, silent, huge, numerous or gone, makes the master wait or grow without bound. So nothing blocks, a request is a
 * line of at most CONTROL_REQUEST_MAX bytes, there are at most CONTROL_CLIENTS_MAX clients, each has a deadline, and
 * the output that waits for all of them together has a limit. */
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

/* Further ones wait in the backlog, or take the place of one that has been silent for a while. */
#define CONTROL_CLIENTS_MAX 64

/* What phase one of a reload has made ready. */
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
        struct evloop_timer *pause; /* until the socket is looked at again */
        bool has_group;
        gid_t group;
        struct control_clients clients;
        struct control_change change;
};

/* `loop` is borrowed; requests go to `dispatch`. 0 or -ENOMEM. */
int control_new(struct evloop *loop, const struct control_dispatch *dispatch, struct control **ret);

/* Its part in a reload; the owner is a struct control. A socket that a file asked for and that cannot be had is a
 * problem; the default one is done without, with a notice. A dry run does not find out that a group cannot be given to
 * the socket. */
extern const struct reload_participant control_participant;

/* The socket and its connections: for a hand-over; the owner is a struct control. */
extern const struct state_part control_part;

/* Close the socket and every connection; what can be sent at once still is. NULL is fine. */
void control_free(struct control *control);
