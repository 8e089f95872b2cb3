/* The workers of status pools: each has a socket to the master, on which it asks for the documents that only tell, and
 * gets them as files in memory.
 *
 * Owned by struct daemon; the launcher adds a link for each such worker. What must stay true: no such worker, however
 * hostile, can stop or busy the master: nothing waits, a packet is a few bytes, a link is read LINK_RATE times a second
 * at most, and rendering a document takes at most a fiftieth of a processor, because it is kept until then. A worker
 * that does not read its answers gets no more. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "logic/protocol/status_link.h"
#include "master/state/state_part.h"

struct control_host;
struct evloop;
struct status_link;

/* A document as it was rendered last. */
struct status_rendering {
        int fd;            /* a sealed file; -1: none yet */
        uint64_t until_ms; /* it is taken as new until then */
};

struct status_links {
        struct evloop *loop;
        const struct control_host *host;
        struct status_link *first;
        struct status_rendering documents[STATUS_LINK_DOCUMENT_COUNT];
};

/* Both are borrowed. */
void status_links_open(struct status_links *links, struct evloop *loop, const struct control_host *host);

/* Make the socket of a worker that is about to be launched: ours, which reads, and the worker's. Both are the caller's.
 * 0 or -errno. */
int status_links_pair(int *ret_own, int *ret_other);

/* The worker was launched: read `own`, which is owned from here on. Without memory the worker gets no answers. */
void status_links_add(struct status_links *links, pid_t worker, int own);

/* The worker has ended: close its link, if it has one. A process that it has left behind may have the other end. */
void status_links_remove(struct status_links *links, pid_t worker);

/* The part of a hand-over: all links. The owner is a struct status_links. */
extern const struct state_part status_links_part;

/* Close and free all. */
void status_links_close(struct status_links *links);
