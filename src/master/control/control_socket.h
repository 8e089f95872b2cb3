/* The control socket: a UNIX stream socket on which root, our own user and control_group ask and order. The protocol is
 * preforkd-control(7).
 *
 * Owned by struct daemon from the start; listens when a configuration says so. What must stay true: no client, however
 * slow, silent, huge, numerous or gone, makes the master wait or grow without bound. So nothing blocks, a request is a
 * line of at most CONTROL_REQUEST_MAX bytes, there are at most CONTROL_CLIENTS_MAX clients, each has a deadline, and the
 * output that waits for all of them together has a limit. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"
#include "logic/config/config.h"
#include "master/state/state_part.h"
#include "os/net/listener.h"

struct daemon;
struct control;
struct control_client;
struct evloop_watch;
struct evloop_timer;

/* Further ones wait in the backlog, or take the place of one that has been silent for a while. */
#define CONTROL_CLIENTS_MAX 64

/* Bytes of replies that wait to be read, over all clients. */
#define CONTROL_OUTPUT_MAX (64U << 20)

struct control {
        struct daemon *daemon;
        bool listening;
        char *path; /* while listening */
        struct listener listener;
        struct evloop_watch *watch;
        struct evloop_timer *pause; /* until the socket is looked at again */
        bool has_group;
        gid_t group;
        struct control_client *clients; /* list, newest first */
        unsigned client_count;
        size_t output_bytes;
};

/* What phase one of a reload has made ready; zero-initialise. */
struct control_change {
        enum { CONTROL_KEEP, CONTROL_OPEN, CONTROL_ADJUST, CONTROL_CLOSE } what;
        struct listener opened; /* CONTROL_OPEN */
        char *path;
        struct evloop_watch *watch;
};

/* 0 or -ENOMEM. */
int control_new(struct daemon *daemon, struct control **ret);

/* Phase one: open the socket that `config` asks for, or find out what else is to be done. A socket that a file asked for
 * and that cannot be had is a problem (-errno); the default one is done without, with a notice. */
int control_prepare(struct control *control, const struct master_config *config, struct control_change *ret,
                    struct problem_list *problems);

/* Would that do? Nothing is opened or made. 0, or -errno with a problem. A group that cannot be given to the socket is not
 * found out. */
int control_try(const struct control *control, const struct master_config *config, struct problem_list *problems);

/* Phase two: what was prepared replaces what is there; cannot fail. Or: take it back. */
void control_commit(struct control *control, const struct master_config *config, struct control_change *change);
void control_undo(struct control *control, struct control_change *change);

/* A client has gone: there may be room for one that waits. */
void control_has_room(struct control *control);

/* The socket and its connections: for a hand-over; the owner is a struct control. */
extern const struct state_part control_part;

/* Close the socket and every connection; what can be sent at once still is. NULL is fine. */
void control_free(struct control *control);
