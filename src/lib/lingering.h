/* Connections that were refused with a text, until their clients have read it: who closes a connection with unread
 * input resets it, and a reset can overtake the text.
 *
 * Called by who refuses: the accept loop, the preload object, and the refuser of a full pool; by none of them while
 * somebody is served. What must stay true: nobody waits for a refused client, there are at most LINGERING_MAX of them,
 * each for at most LINGERING_MS and LINGERING_BYTES; the oldest gives way. There is one exception: a worker waits in
 * accept(2) for a connection that another has taken a moment before; then its refused clients last until it gets the
 * next. Async-signal-safe, allocates nothing. */
#pragma once

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slot.h"

#define LINGERING_MAX 32
#define LINGERING_MS 1000
#define LINGERING_BYTES (1024 * 1024) /* that are read and dropped */

/* What is sent; not owned. */
struct lingering_text {
        const char *bytes;
        size_t length; /* 0: nothing */
};

struct lingering_socket {
        int fd;
        uint32_t bytes; /* so many more may come */
        uint64_t until_ns;
};

/* Zero-initialise; end with lingering_end(). */
struct lingering {
        struct lingering_socket sockets[LINGERING_MAX];
        size_t count;
};

/* End a connection: send the text, as far as there is room at once, and say that nothing follows. Without a text it is
 * closed, as refusal_close() does; else it lingers. */
void lingering_refuse(struct lingering *lingering, int connection, const struct lingering_text *text);

/* While somebody lingers: wait, reading and dropping, until there is something to accept at one of the listeners (or an
 * epoll set) that other idle workers leave to this one, or the door has closed. Called before accept(2). */
void lingering_wait(struct lingering *lingering, const int *listeners, size_t count, const struct slot *slot);

/* The parts of that, for who waits otherwise. lingering_fill() appends what to poll for, and returns how many;
 * lingering_timeout_ms() is for how long, -1: for ever; after the poll, lingering_look() reads, drops and closes. */
size_t lingering_fill(const struct lingering *lingering, struct pollfd to[static LINGERING_MAX]);
int lingering_timeout_ms(const struct lingering *lingering);
void lingering_look(struct lingering *lingering);

/* Look once more, and close all. */
void lingering_end(struct lingering *lingering);
