#include "builtin/agent.h"

#include <errno.h>
#include <jansson.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "builtin/stream.h"
#include "document/master_status.h"
#include "logic/status/agent_line.h"

/* Less than the two seconds between HAProxy's questions, unless it is told otherwise. */
#define PATIENCE_MS 1000

static struct master_link master_link = {.fd = -1};

void builtin_agent_attach(int status_fd)
{
        master_link.fd = status_fd;
}

/* The state is the pool's name. */
static int init(int argc, char *const *argv, void **ret_state)
{
        if (argc != 2)
                return -EINVAL;
        *ret_state = argv[1];
        return 0;
}

static void done(void *state)
{
        (void)state;
        master_link_clear(&master_link);
}

/* 0; -ESRCH: the master knows no such pool; -errno. */
static int make_line(const char *name, struct text *line)
{
        _cleanup_(json_decrefp) json_t *document = NULL;
        _cleanup_(status_clear) struct status status = {0};

        int r = master_status_get(&master_link, STATUS_LINK_STATUS, PATIENCE_MS, &document, &status);
        if (r < 0)
                return r;
        const struct status_pool *pool = status_find_pool(&status, name);
        return pool ? agent_line_append(&status, pool, line) : -ESRCH;
}

/* What the balancer has sent (agent-send) tells us nothing, but close(2) would reset a connection with it unread, and
 * the line could be lost. */
static void drop_question(int connection)
{
        char bytes[1024];

        recv(connection, bytes, sizeof(bytes), MSG_DONTWAIT);
}

static int serve(void *state, const struct prefork_request *request)
{
        _cleanup_(text_clear) struct text line = {0};

        int r = make_line(state, &line);
        if (r < 0)
                return r;
        drop_question(request->connection);
        return stream_result(stream_write(request->connection, text_string(&line), line.length));
}

const struct prefork_module builtin_agent = {PREFORK_MODULE_HEADER, .name = "agent", .init = init, .serve = serve,
                                             .done = done};
