#include "builtin/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BUFFER_BYTES (size_t)65536
/* From here on a pipe is worth its system calls. */
#define LARGE_BYTES (4 * BUFFER_BYTES)
/* A pipe may hold more than its default, if the user's pipes have room for it (pipe(7)). */
#define PIPE_BYTES 262144
/* How often to go on before others have a turn. */
#define ROUNDS 8

void flow_memory_clear(struct flow_memory *memory)
{
        free(memory->buffer);
        fd_closep(&memory->pipe[0]);
        fd_closep(&memory->pipe[1]);
        *memory = FLOW_MEMORY_NONE;
}

struct flow flow_make(int from, int to, struct flow_memory *memory)
{
        return (struct flow){.from = from, .to = to, .memory = memory, .broken = -1};
}

static void note_error(struct flow *flow, int fd, int error)
{
        if (error == EAGAIN || error == EINTR)
                return;
        flow->error = error;
        flow->broken = fd;
}

void flow_close(struct flow *flow)
{
        flow->has_ended = flow->passed_on = true;
}

/* Go by the pipe from now on, if there can be one. The sockets must not wait then, which splice(2) cannot be told. */
static void become_large(struct flow *flow)
{
        int *pipe = flow->memory->pipe;

        if (pipe[0] < 0 && pipe2(pipe, O_CLOEXEC | O_NONBLOCK) < 0)
                return;
        fcntl(pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
        flow->by_pipe = fcntl(flow->from, F_SETFL, O_RDWR | O_NONBLOCK) == 0 &&
                        fcntl(flow->to, F_SETFL, O_RDWR | O_NONBLOCK) == 0;
}

static ssize_t read_some(struct flow *flow)
{
        if (flow->by_pipe)
                return splice(flow->from, NULL, flow->memory->pipe[1], NULL, PIPE_BYTES,
                              SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        flow->at = 0;
        return recv(flow->from, flow->memory->buffer, BUFFER_BYTES, MSG_DONTWAIT);
}

static ssize_t write_some(struct flow *flow)
{
        if (flow->by_pipe)
                return splice(flow->memory->pipe[0], NULL, flow->to, NULL, flow->pending,
                              SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        return send(flow->to, flow->memory->buffer + flow->at, flow->pending, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* True: go on; false: there is nothing to read now, or no more. */
static bool fill(struct flow *flow)
{
        if (!flow->by_pipe && flow->moved >= LARGE_BYTES)
                become_large(flow);
        if (!flow->by_pipe && !flow->memory->buffer && !(flow->memory->buffer = malloc(BUFFER_BYTES)))
                note_error(flow, flow->from, ENOMEM);
        ssize_t length = flow->error == 0 ? read_some(flow) : -1;
        if (length < 0)
                note_error(flow, flow->from, flow->error != 0 ? flow->error : errno);
        if (length == 0)
                flow->has_ended = true;
        flow->pending = length > 0 ? (size_t)length : 0;
        return length > 0;
}

/* True: all of it was written. */
static bool drain(struct flow *flow)
{
        ssize_t length = write_some(flow);

        if (length < 0) {
                note_error(flow, flow->to, errno);
                return false;
        }
        flow->moved += (uint64_t)length;
        flow->at += (size_t)length;
        flow->pending -= (size_t)length;
        return flow->pending == 0;
}

void flow_advance(struct flow *flow)
{
        for (unsigned round = 0; round < ROUNDS && !flow->has_ended && flow->error == 0; round++) {
                if (flow->pending == 0 && !fill(flow))
                        break;
                if (!drain(flow))
                        break;
        }
        if (flow->has_ended && flow->pending > 0 && flow->error == 0)
                drain(flow);
        if (flow->has_ended && flow->pending == 0 && flow->error == 0 && !flow->passed_on) {
                shutdown(flow->to, SHUT_WR);
                flow->passed_on = true;
        }
}

void flow_end(struct flow *flow)
{
        if (!flow->by_pipe || flow->pending == 0)
                return;
        fd_closep(&flow->memory->pipe[0]);
        fd_closep(&flow->memory->pipe[1]);
}
