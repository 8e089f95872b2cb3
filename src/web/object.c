/* The object that preforkd loads into the workers of status pools (os/process/status_object): a module, and what it
 * gets besides. */
#include <stdlib.h>

#include "os/process/status_object.h"
#include "web/server.h"

static struct master_link master_link = {.fd = -1};

static int init(int argc, char *const *argv, void **ret_state)
{
        struct web_server *server;

        (void)argc, (void)argv;
        int r = web_server_new(&master_link, &server);
        if (r == 0)
                *ret_state = server;
        return r;
}

static int serve(void *state, const struct prefork_request *request)
{
        return web_server_serve(state, request);
}

static void done(void *state)
{
        web_server_free(state);
        master_link_clear(&master_link);
}

static void attach(int status_fd)
{
        master_link.fd = status_fd;
}

extern const struct status_object STATUS_OBJECT_SYMBOL;
PREFORK_MODULE_EXPORT const struct status_object STATUS_OBJECT_SYMBOL = {
        .version = PREFORKD_VERSION,
        .module = {PREFORK_MODULE_HEADER, .name = "status", .init = init, .serve = serve, .done = done},
        .attach = attach,
};
