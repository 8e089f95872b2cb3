/* Notices at once when a listener of a pool hangs up, whether or not the master waits for connections itself. One per
 * pool. */
#pragma once

struct evloop;
struct evloop_watch;

struct hangup_watch {
        int set; /* os/net/hangup_set; -1: closed */
        struct evloop_watch *watch;
        void (*hung_up)(void *context);
        void *context;
};

/* Open it in place; call hangup_watch_close() also on failure. 0 or -errno. */
int hangup_watch_open(struct hangup_watch *watch, struct evloop *loop, void (*hung_up)(void *context), void *context);

/* Watch a listener, once more if it has hung up before. */
void hangup_watch_add(const struct hangup_watch *watch, int listener);

void hangup_watch_close(struct hangup_watch *watch);
