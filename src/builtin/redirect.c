#include "builtin/redirect.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "builtin/flow.h"
#include "os/net/connection.h"

/* A target that does not answer within this time is as good as gone. */
#define CONNECT_TIMEOUT_S 10

struct redirect {
        struct address target;
        struct flow_memory memory[2];
};

static int init(int argc, char *const *argv, void **ret_state)
{
        if (argc != 2)
                return -EINVAL;
        struct redirect *redirect = calloc(1, sizeof(*redirect));
        if (!redirect)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTS(redirect->memory); i++)
                redirect->memory[i] = FLOW_MEMORY_NONE;
        int r = address_parse(argv[1], &redirect->target);
        if (r < 0)
                free(redirect);
        else
                *ret_state = redirect;
        return r;
}

static void done(void *state)
{
        struct redirect *redirect = state;

        for (size_t i = 0; i < ELEMENTS(redirect->memory); i++)
                flow_memory_clear(&redirect->memory[i]);
        free(redirect);
}

static bool is_interrupted(const void *context)
{
        const struct prefork_request *request = context;

        return request->interrupted(request);
}

/* What is wanted of one side: to read from it in one direction, to write to it in the other. Without a wish poll(2)
 * still tells whether it has broken. */
static struct pollfd wishes(const struct flow *from_it, const struct flow *to_it)
{
        int events = (flow_wants_input(from_it) ? POLLIN : 0) | (flow_wants_output(to_it) ? POLLOUT : 0);
        bool is_of_use = events != 0 || !flow_is_over(to_it);

        return (struct pollfd){.fd = is_of_use ? from_it->from : -1, .events = (short)events};
}

/* Let the directions go on that poll(2) has found something for: all that a side was asked for, or that it has broken.
 */
static void advance(struct flow *from_it, struct flow *to_it, const struct pollfd *side)
{
        if (side->revents == 0)
                return;
        if (side->events == 0) { /* it takes no more; that is no fault, as nothing waits to be written to it */
                flow_close(to_it);
                return;
        }
        if (side->events & POLLIN)
                flow_advance(from_it);
        if (side->events & POLLOUT)
                flow_advance(to_it);
}

/* Both directions, until both are over. 0 or -errno of what has broken. */
static int relay(struct flow *up, struct flow *down, const struct prefork_request *request)
{
        flow_advance(up); /* what the client has sent with its connection */
        while ((!flow_is_over(up) || !flow_is_over(down)) && up->error == 0 && down->error == 0) {
                struct pollfd sides[] = {wishes(up, down), wishes(down, up)};
                if (request->interrupted(request))
                        return -ETIMEDOUT;
                if (poll(sides, ELEMENTS(sides), -1) < 0)
                        continue; /* a signal, or a shortage of memory that passes */
                advance(up, down, &sides[0]);
                advance(down, up, &sides[1]);
        }
        if (request->interrupted(request)) /* which looks like an end of the client's */
                return -ETIMEDOUT;
        return -(up->error != 0 ? up->error : down->error);
}

static int serve(void *state, const struct prefork_request *request)
{
        struct redirect *redirect = state;
        _cleanup_(fd_closep) int target = -1;

        int r = connection_open(&redirect->target, CONNECT_TIMEOUT_S, is_interrupted, request, &target);
        if (r < 0)
                return r;
        connection_set_nodelay(target);
        connection_set_nodelay(request->connection);
        struct flow up = flow_make(request->connection, target, &redirect->memory[0]);
        struct flow down = flow_make(target, request->connection, &redirect->memory[1]);
        r = relay(&up, &down, request);
        flow_end(&up);
        flow_end(&down);
        if (r == 0)
                return 0;
        /* What has broken must not look to the other side as if it had ended. */
        connection_set_reset(request->connection);
        connection_set_reset(target);
        /* That the client has left is no failure of ours. */
        bool by_client = (up.error != 0 && up.broken == request->connection) ||
                         (down.error != 0 && down.broken == request->connection);
        return by_client && r != -ETIMEDOUT ? 0 : r;
}

const struct prefork_module builtin_redirect = {PREFORK_MODULE_HEADER, .flags = PREFORK_MODULE_THREAD_SAFE,
                                                .name = "redirect",    .init = init,
                                                .serve = serve,        .done = done};
