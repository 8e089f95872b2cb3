/* A flow: bytes from one socket to another, in one direction, with the end of the one passed on to the other.
 *
 * Little goes through a buffer, which costs the fewest system calls; once a flow has become large, the rest goes
 * through a pipe (splice(2)), which copies nothing. Never waits; the caller polls. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one flow after the other uses. */
struct flow_memory {
        char *buffer; /* allocated when it is needed first */
        int pipe[2];  /* the same; -1: none yet */
};
#define FLOW_MEMORY_NONE ((struct flow_memory){.pipe = {-1, -1}})
void flow_memory_clear(struct flow_memory *memory);

struct flow {
        int from, to;
        struct flow_memory *memory;
        uint64_t moved;     /* bytes */
        size_t at, pending; /* in the buffer: read and not yet written; in the pipe: pending alone */
        bool by_pipe;
        bool has_ended; /* `from` has ended its side */
        bool passed_on; /* … and `to` was told, or has gone */
        int error;      /* positive errno: it has broken … */
        int broken;     /* … at this descriptor */
};

/* A flow between two connected sockets; the memory is its own until flow_end(). */
struct flow flow_make(int from, int to, struct flow_memory *memory);

/* Move what can be moved without waiting, a few hundred kilobytes at most. */
void flow_advance(struct flow *flow);

/* `to` takes no more: the flow is over. */
void flow_close(struct flow *flow);

/* What it waits for: bytes of `from`, or room in `to`. */
static inline bool flow_is_over(const struct flow *flow)
{
        return flow->passed_on || flow->error != 0;
}

static inline bool flow_wants_input(const struct flow *flow)
{
        return flow->pending == 0 && !flow->has_ended && flow->error == 0;
}

static inline bool flow_wants_output(const struct flow *flow)
{
        return flow->pending > 0 && flow->error == 0;
}

/* Give the memory back, without anything of this flow in it. */
void flow_end(struct flow *flow);
