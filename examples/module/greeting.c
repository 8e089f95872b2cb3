/* An example of a module for preforkd, see preforkd-module(7): it greets each client with a line, and tells how many
 * this worker has greeted.
 *
 *     cc -shared -fPIC -O2 -o greeting.so greeting.c
 *
 *     [greeting]
 *     listen = 127.0.0.1:7000
 *     user = nobody
 *     handler_type = module
 *     handler = /usr/local/lib/preforkd/greeting.so "Good day"
 *     max_requests = 10000 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "prefork/module.h"

/* What lives as long as the worker: a connection to a database would be here. */
struct greeting {
        const char *words;
        unsigned long count;
};

static int init(int argc, char *const *argv, void **ret_state)
{
        struct greeting *greeting = calloc(1, sizeof(*greeting));

        if (!greeting)
                return -ENOMEM;
        greeting->words = argc > 1 ? argv[1] : "Hello";
        *ret_state = greeting;
        return 0;
}

/* All of it, however the kernel takes it. MSG_NOSIGNAL is not needed: a worker survives SIGPIPE. */
static int send_all(int connection, const char *bytes, size_t length)
{
        while (length > 0) {
                ssize_t sent = send(connection, bytes, length, 0);
                if (sent < 0 && errno != EINTR)
                        return -errno;
                if (sent > 0) {
                        bytes += sent;
                        length -= (size_t)sent;
                }
        }
        return 0;
}

static int serve(void *state, const struct prefork_request *request)
{
        struct greeting *greeting = state;
        char line[512];

        int length = snprintf(line, sizeof(line), "%s, client %lu\n", greeting->words, ++greeting->count);
        if (length < 0 || (size_t)length >= sizeof(line))
                return -EOVERFLOW;
        return send_all(request->connection, line, (size_t)length);
}

static void done(void *state)
{
        free(state);
}

PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {
        PREFORK_MODULE_HEADER, .name = "greeting", .init = init, .serve = serve, .done = done,
};
