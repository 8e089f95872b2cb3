#include "logger/worker_sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/policy/rate_limit.h"
#include "logic/protocol/line_splitter.h"
#include "logic/protocol/log_plan.h"
#include "os/clock.h"
#include "os/log/text.h"
#include "os/process/unwanted_fds.h"

/* As for the lines of handlers that the master reads (master/pool/output_group). */
#define BURST 5000
#define BYTES_A_UNIT 256
#define TELL_FIRST_MS 1000
#define TELL_AGAIN_MS 10000

#define REST_MS 100     /* a pool whose budget is spent is not read for so long */
#define MOST_AT_ONCE 16 /* datagrams of one source, then the next */

/* The sources of one pool together. */
struct source_pool {
        struct source_pool *next, **link;
        char name[LOG_POOL_NAME_MAX];
        unsigned members;
        struct rate_limit lines;
        uint64_t dropped;   /* since it was told */
        uint64_t tell_ms;   /* when it is told; 0: there is nothing to tell */
        uint64_t told_ms;   /* when it was told last; 0: never */
        uint64_t resume_ms; /* read again from then on; 0: it is read */
};

struct worker_source {
        struct worker_source *next, **link;
        struct source_pool *pool;
        pid_t worker;
        int fd;
};

static struct source_pool *join(struct worker_sources *sources, const char *name)
{
        struct source_pool *pool = sources->pools;

        while (pool && !text_equal(pool->name, name))
                pool = pool->next;
        if (!pool) {
                pool = calloc(1, sizeof(*pool));
                if (!pool)
                        return NULL;
                snprintf(pool->name, sizeof(pool->name), "%s", name);
                pool->next = sources->pools;
                pool->link = &sources->pools;
                if (pool->next)
                        pool->next->link = &pool->next;
                sources->pools = pool;
        }
        pool->members++;
        return pool;
}

static void append(const struct worker_sources *sources, const struct log_record *record, struct text *lines)
{
        size_t before = lines->length;

        if (log_line_append(lines, record, &sources->form) == 0)
                return;
        lines->length = before; /* there is no memory for it: no half line */
        if (lines->bytes)
                lines->bytes[before] = '\0';
}

static void tell(const struct worker_sources *sources, struct source_pool *pool, uint64_t now_ms, struct text *lines)
{
        char message[96];

        if (pool->tell_ms == 0)
                return;
        snprintf(message, sizeof(message), "%llu records were dropped: its workers write too many",
                 (unsigned long long)pool->dropped);
        append(sources,
               &(const struct log_record){.priority = LOG_WARNING, .fields = {.pool = pool->name}, .message = message},
               lines);
        pool->dropped = pool->tell_ms = 0;
        pool->told_ms = now_ms;
}

static void leave(const struct worker_sources *sources, struct source_pool *pool, struct text *lines)
{
        if (--pool->members > 0)
                return;
        tell(sources, pool, clock_now_ms(), lines);
        *pool->link = pool->next;
        if (pool->next)
                pool->next->link = pool->link;
        free(pool);
}

static int watch(const struct worker_sources *sources, struct worker_source *source, int operation)
{
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

        return epoll_ctl(sources->epoll_fd, operation, source->fd, &event);
}

static void end(struct worker_source *source, const struct worker_sources *sources, struct text *lines)
{
        *source->link = source->next;
        if (source->next)
                source->next->link = source->link;
        watch(sources, source, EPOLL_CTL_DEL); /* another process may still have a copy */
        unwanted_fds_close(&source->fd);
        leave(sources, source->pool, lines);
        free(source);
}

void worker_sources_add(struct worker_sources *sources, const struct log_order *order, int fd)
{
        _cleanup_(text_clear) struct text nothing = {0};
        _cleanup_(freep) struct worker_source *source = calloc(1, sizeof(*source));
        _cleanup_(fd_closep) int owned_fd = fd;
        struct source_pool *pool = source ? join(sources, order->pool) : NULL;

        if (!pool)
                return;
        *source = (struct worker_source){
                .next = sources->first, .link = &sources->first, .pool = pool, .worker = order->worker, .fd = fd};
        if (watch(sources, source, EPOLL_CTL_ADD) < 0) {
                leave(sources, pool, &nothing);
                return;
        }
        if (pool->resume_ms > 0)
                watch(sources, source, EPOLL_CTL_DEL);
        TAKE_FD(owned_fd);
        if (source->next)
                source->next->link = &source->next;
        sources->first = TAKE_PTR(source);
}

struct line_context {
        struct worker_sources *sources;
        struct worker_source *source;
        struct text *lines;
};

static void take_line(void *context, const struct line *line)
{
        const struct line_context *at = context;
        struct source_pool *pool = at->source->pool;
        int priority = line->priority >= 0 ? line->priority : LOG_NOTICE;
        uint64_t now_ms = clock_now_ms();

        if (priority > at->sources->max_priority)
                return;
        if (rate_limit_take(&pool->lines, now_ms, BURST, 1 + line->length / BYTES_A_UNIT)) {
                const struct log_record record = {.priority = priority,
                                                  .fields = {.pool = pool->name, .worker_pid = at->source->worker},
                                                  .message = line->bytes};
                append(at->sources, &record, at->lines);
                return;
        }
        pool->dropped++;
        if (pool->tell_ms == 0)
                pool->tell_ms = MAX_OF(now_ms + TELL_FIRST_MS, pool->told_ms > 0 ? pool->told_ms + TELL_AGAIN_MS : 0);
}

/* Do not read the sources of a pool until it has a budget again: their sockets fill, and their workers drop. */
static void rest(const struct worker_sources *sources, struct source_pool *pool)
{
        if (pool->resume_ms > 0)
                return;
        pool->resume_ms = clock_now_ms() + REST_MS;
        for (struct worker_source *source = sources->first; source; source = source->next)
                if (source->pool == pool)
                        watch(sources, source, EPOLL_CTL_DEL);
}

/* Read one datagram. False when there is none; *ret_ended: there will be none. */
static bool read_one(struct worker_sources *sources, struct worker_source *source, struct text *lines, bool *ret_ended)
{
        struct line_context context = {.sources = sources, .source = source, .lines = lines};
        _cleanup_(line_splitter_clear) struct line_splitter splitter = {0};
        char bytes[LINE_SPLITTER_MAX + 1];

        ssize_t length = unwanted_fds_receive(source->fd, bytes, sizeof(bytes));
        *ret_ended = length == -EPROTO || length == 0; /* a worker that sends nothing ends this as well, for itself */
        if (length <= 0)
                return false;
        line_splitter_feed(&splitter, bytes, (size_t)length, take_line, &context);
        line_splitter_flush(&splitter, take_line, &context);
        return true;
}

void worker_source_read(struct worker_sources *sources, struct worker_source *source, struct text *lines)
{
        uint64_t dropped = source->pool->dropped;
        bool ended = false;

        for (int i = 0; i < MOST_AT_ONCE && read_one(sources, source, lines, &ended); i++)
                ;
        if (ended)
                end(source, sources, lines);
        else if (source->pool->dropped > dropped)
                rest(sources, source->pool);
}

void worker_sources_look(struct worker_sources *sources, uint64_t now_ms, struct text *lines)
{
        for (struct source_pool *pool = sources->pools; pool; pool = pool->next) {
                if (pool->tell_ms > 0 && now_ms >= pool->tell_ms)
                        tell(sources, pool, now_ms, lines);
                if (pool->resume_ms == 0 || now_ms < pool->resume_ms)
                        continue;
                pool->resume_ms = 0;
                for (struct worker_source *source = sources->first; source; source = source->next)
                        if (source->pool == pool)
                                watch(sources, source, EPOLL_CTL_ADD);
        }
}

int worker_sources_patience_ms(const struct worker_sources *sources, uint64_t now_ms)
{
        uint64_t next_ms = UINT64_MAX;

        for (const struct source_pool *pool = sources->pools; pool; pool = pool->next) {
                if (pool->tell_ms > 0)
                        next_ms = MIN_OF(next_ms, pool->tell_ms);
                if (pool->resume_ms > 0)
                        next_ms = MIN_OF(next_ms, pool->resume_ms);
        }
        if (next_ms == UINT64_MAX)
                return -1;
        return next_ms > now_ms ? (int)MIN_OF(next_ms - now_ms, (uint64_t)TELL_AGAIN_MS) : 0;
}

void worker_sources_end(struct worker_sources *sources, struct text *lines)
{
        while (sources->first) {
                bool ended;
                /* No more than a socket holds: somebody may still be writing. */
                for (int i = 0; i < 1000 && read_one(sources, sources->first, lines, &ended); i++)
                        ;
                end(sources->first, sources, lines);
        }
}
