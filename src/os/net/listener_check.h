/* What a process that shares a listener may have done to it: workers inherit the open file, and with it every right to
 * change the socket.
 *
 * Measured here, judged in logic/policy/listening. Nothing is changed but by listener_mend(). */
#pragma once

#include <stdbool.h>

#include "os/net/listener.h"

/* The name of that difference: it is given where there is no other. */
#define LISTENER_CHECK_BACKLOG "backlog"

struct listener_condition {
        bool listens;        /* clients can connect */
        bool filtered;       /* a socket filter was attached */
        const char *altered; /* what differs from a listener that has just been opened: "SO_LINGER"; NULL: nothing */
};

/* Can clients still connect? Cheap. False once somebody has called shutdown(2), or connect(2) to nowhere; of
 * datagrams, connect(2) to anywhere. */
bool listener_listens(const struct listener *listener);

/* Compare a listener in service with a new socket that has the same options. Of one of a socket unit, which may set
 * what it likes, only the queue and the filter are looked at. */
void listener_check(const struct listener *listener, const struct listener_options *options,
                    struct listener_condition *ret);

/* True of a socket for datagrams at which nothing waits but errors, such as that a client has gone. A program has asked
 * for them (IP_RECVERR) and does not read them; whoever waits for the socket finds it ready without end. */
bool listener_has_errors(const struct listener *listener);

/* Read them, at most some hundreds, for want of a program that does. */
void listener_forget_errors(const struct listener *listener);

/* Put right what can be put right on the open socket: it listens again with its backlog, a filter that is not locked is
 * detached, and the options of listener_adjust() are set. 0; -errno of the first that failed; -ESHUTDOWN: it does not
 * listen. Of datagrams: it is connected no longer. */
int listener_mend(struct listener *listener, const struct listener_options *options);
