#include "master/pool/listener_set.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "master/loop/evloop.h"
#include "os/net/listener_check.h"
#include "os/process/unwanted_fds.h"

/* The options that the configuration leaves unset. */
static unsigned find_defaults(const struct pool_config *pool)
{
        return (pool->origins[POOL_BACKLOG].line == 0 ? LISTENER_BACKLOG : 0) |
               (pool->origins[POOL_TCP_NODELAY].line == 0 ? LISTENER_NODELAY : 0) |
               (pool->origins[POOL_TCP_KEEPALIVE].line == 0 ? LISTENER_KEEPALIVE : 0) |
               (pool->origins[POOL_DEFER_ACCEPT].line == 0 ? LISTENER_DEFER_ACCEPT : 0);
}

struct listener_options listener_set_options(const struct pool_config *pool)
{
        return (struct listener_options){
                .backlog = (unsigned)pool->backlog,
                .free_bind = pool->free_bind,
                .device = pool->bind_to_device,
                .ipv6_only = pool->ipv6_only,
                .tcp_nodelay = pool->tcp_nodelay,
                .tcp_keepalive = pool->tcp_keepalive,
                .defer_accept = pool->defer_accept,
                /* Workers wait on several listeners by epoll, and a refuser must never block in accept(2). */
                .nonblocking = pool->listen.count > 1 || pool->when_full == FULL_REFUSE,
                .socket_uid = pool->socket_user.name ? pool->socket_user.id : (uid_t)-1,
                .socket_gid = pool->socket_group.name ? pool->socket_group.id : (gid_t)-1,
                .socket_mode = pool->socket_mode,
                .defaults = find_defaults(pool),
        };
}

int listener_set_reserve(struct listener_set *set, size_t more)
{
        struct pool_listener *items = realloc(set->items, (set->count + more) * sizeof(*items));

        if (!items && set->count + more > 0)
                return -ENOMEM;
        set->items = items;
        return 0;
}

int listener_set_add(struct listener_set *set, const char *name, const struct listener *listener)
{
        struct pool_listener item = {.name = strdup(name), .listener = *listener};

        if (!item.name || listener_set_reserve(set, 1) < 0) {
                free(item.name);
                return -ENOMEM;
        }
        set->items[set->count++] = item;
        return 0;
}

const char *listener_set_error_text(int error)
{
        switch (error) {
        case EADDRINUSE:
                return "somebody else listens there (address already in use)";
        case EBUSY:
                return "nobody listens there, but a process (a busy worker?) still has the name";
        case EADDRNOTAVAIL:
                return "no interface of this machine has that address; free_bind = yes does not need one";
        case EACCES:
                return "permission denied";
        case ENOTSOCK:
                return "the path exists and is not a socket";
        case ELOOP:
                return "a link of another user on the way leads to a directory that is not that user's (or too many "
                       "links)";
        case ESTALE:
                return "its directory was exchanged while the socket was made";
        case EMFILE:
                return "too many open files; raise the limit preforkd is started with";
        default:
                return strerror(error);
        }
}

const char *listener_set_device_error(int error)
{
        return error == ENODEV ? "there is no network interface of that name" : "bind_to_device needs CAP_NET_RAW here";
}

static int cannot_open(const struct pool_config *pool, const struct listen_address *address, int error,
                       struct problem_list *problems)
{
        const struct origin *origin = &pool->origins[POOL_LISTEN];
        const char *device = address->address.any.sa_family == AF_UNIX ? NULL : pool->bind_to_device;

        if (device && (error == -ENODEV || error == -EPERM))
                problem_add(problems, origin->file, origin->line, "pool %s: listen: cannot open %s on %s: %s",
                            pool->name, address->text, device, listener_set_device_error(-error));
        else
                problem_add(problems, origin->file, origin->line, "pool %s: listen: cannot open %s: %s", pool->name,
                            address->text, listener_set_error_text(-error));
        return error;
}

int listener_set_try(const struct pool_config *pool, const struct listen_address *address, bool shares_port,
                     struct problem_list *problems)
{
        struct listener_options options = listener_set_options(pool);

        options.shares_port = shares_port;
        int r = listener_try(&address->address, &options);
        return r < 0 ? cannot_open(pool, address, r, problems) : 0;
}

int listener_set_open(struct listener_set *set, const struct pool_config *pool, const struct listen_address *address,
                      bool shares_port, struct problem_list *problems)
{
        struct listener_options options = listener_set_options(pool);
        struct pool_listener item = {.name = strdup(address->text)};
        struct listener_condition condition;

        options.shares_port = shares_port;
        int r = item.name ? listener_set_reserve(set, 1) : -ENOMEM;
        if (r == 0)
                r = listener_open(&address->address, &options, &item.listener);
        if (r < 0) {
                free(item.name);
                return cannot_open(pool, address, r, problems);
        }
        listener_check(&item.listener, &options, &condition); /* nobody else has it so far */
        item.unusual = condition.altered;
        set->items[set->count++] = item;
        return 0;
}

void listener_set_add_missing(struct listener_set *set, char *name, int error)
{
        set->items[set->count++] =
                (struct pool_listener){.name = name, .listener = {.fd = -1, .decoy_fd = -1}, .error = error};
}

struct pool_listener *listener_set_find(const struct listener_set *set, const char *name)
{
        for (size_t i = 0; i < set->count; i++)
                if (text_equal(set->items[i].name, name))
                        return &set->items[i];
        return NULL;
}

static void remove_item(struct listener_set *set, struct pool_listener *item)
{
        size_t index = (size_t)(item - set->items);

        assert(index < set->count);
        memmove(item, item + 1, (set->count - index - 1) * sizeof(*item));
        set->count--;
}

struct pool_listener *listener_set_move(struct listener_set *from, struct pool_listener *item, struct listener_set *to)
{
        struct pool_listener *moved = &to->items[to->count++];

        *moved = *item;
        remove_item(from, item);
        return moved;
}

uint32_t listener_set_queue_of(const struct pool_listener *item, bool *ret_exact)
{
        struct pollfd poller = {.fd = item->listener.fd, .events = POLLIN};
        uint32_t length;

        bool is_known = listener_queue_length(&item->listener, &length) == 0;
        *ret_exact = is_known && !item->listener.address.datagram;
        return is_known ? length : poll(&poller, 1, 0) == 1 && (poller.revents & POLLIN);
}

size_t listener_set_list_live(const struct listener_set *set, int *ret_fds, size_t most)
{
        size_t count = 0;

        for (size_t i = 0; i < set->count && count < most; i++) {
                if (set->items[i].dead)
                        continue;
                if (ret_fds)
                        ret_fds[count] = set->items[i].listener.fd;
                count++;
        }
        return count;
}

unsigned listener_set_queued(const struct listener_set *set)
{
        unsigned sum = 0;
        bool exact;

        for (size_t i = 0; i < set->count; i++)
                sum += set->items[i].dead ? 0 : listener_set_queue_of(&set->items[i], &exact);
        return sum;
}

struct listener_mark listener_set_mark(const struct listener_set *set)
{
        struct listener_mark mark = {0};

        for (size_t i = 0; i < set->count; i++)
                listener_mark_add(&mark, &set->items[i].listener);
        return mark;
}

/* Clients of a UNIX listener that nobody has served may have sent descriptors. -1: none waits. */
static int hold_clients(const struct listener *listener)
{
        uint32_t queued = 0;
        bool is_unix = listener->address.any.sa_family == AF_UNIX;

        return is_unix && (listener_queue_length(listener, &queued) < 0 || queued > 0) ? unwanted_fds_hold(listener->fd)
                                                                                       : -1;
}

void listener_set_close_one(struct listener_set *set, struct pool_listener *item)
{
        _cleanup_(fd_closep) int held = item->listener.fd >= 0 ? hold_clients(&item->listener) : -1;

        evloop_watch_free(item->watch);
        if (item->listener.fd >= 0)
                listener_close(&item->listener);
        free(item->name);
        remove_item(set, item);
}

void listener_set_close(struct listener_set *set)
{
        while (set->count > 0)
                listener_set_close_one(set, &set->items[set->count - 1]);
        free(set->items);
        *set = (struct listener_set){0};
}
