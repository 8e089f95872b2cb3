#include "lib/lingering.h"

#include <errno.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/idle_set.h"
#include "lib/refusal.h"
#include "lib/sys.h"
#include "lib/unwanted_rights.h"

#define BITE_BYTES 16384
#define LISTENERS_MAX 128 /* as preload/listeners */
/* How long a connection is left to other idle workers. This one has looked with poll(2), which several are woken from:
 * if it accepted at once, another would be quicker half of the time, and this one would wait in accept(2) for the next
 * connection, with those that linger in its hands. Who waits in accept(2) needs no time at all; of those who poll, each
 * leaves it for another time. */
static int left_ms(const struct slot *slot)
{
        return 1 + (int)(slot->index % 16);
}

/* Drop what has come. False: nobody needs to linger any more. */
static bool drop(struct lingering_socket *socket)
{
        char bite[BITE_BYTES];

        for (;;) {
                long r = unwanted_rights_receive(socket->fd, bite, sizeof(bite));
                if (r <= 0)
                        return r == -EAGAIN || r == -EINTR;
                if ((uint64_t)r >= socket->bytes)
                        return false;
                socket->bytes -= (uint32_t)r;
        }
}

static void remove_at(struct lingering *lingering, size_t i)
{
        unwanted_rights_close(lingering->sockets[i].fd);
        lingering->sockets[i] = lingering->sockets[--lingering->count];
}

static size_t find_oldest(const struct lingering *lingering)
{
        size_t oldest = 0;

        for (size_t i = 1; i < lingering->count; i++)
                if (lingering->sockets[i].until_ns < lingering->sockets[oldest].until_ns)
                        oldest = i;
        return oldest;
}

void lingering_refuse(struct lingering *lingering, int connection, const struct lingering_text *text)
{
        if (text->length == 0) {
                refusal_close(connection);
                return;
        }
        sys_send_now(connection, text->bytes, text->length);
        sys_shutdown(connection, SHUT_WR);
        struct lingering_socket socket = {.fd = connection,
                                          .bytes = LINGERING_BYTES,
                                          .until_ns = sys_now_ns() + LINGERING_MS * UINT64_C(1000000)};
        if (!drop(&socket)) {
                unwanted_rights_close(connection);
                return;
        }
        if (lingering->count == LINGERING_MAX)
                remove_at(lingering, find_oldest(lingering));
        lingering->sockets[lingering->count++] = socket;
}

size_t lingering_fill(const struct lingering *lingering, struct pollfd to[static LINGERING_MAX])
{
        for (size_t i = 0; i < lingering->count; i++)
                to[i] = (struct pollfd){.fd = lingering->sockets[i].fd, .events = POLLIN};
        return lingering->count;
}

int lingering_timeout_ms(const struct lingering *lingering)
{
        if (lingering->count == 0)
                return -1;
        uint64_t now_ns = sys_now_ns(), until_ns = lingering->sockets[find_oldest(lingering)].until_ns;
        return until_ns > now_ns ? (int)((until_ns - now_ns) / 1000000) + 1 : 0;
}

void lingering_look(struct lingering *lingering)
{
        uint64_t now_ns = lingering->count > 0 ? sys_now_ns() : 0;

        for (size_t i = lingering->count; i-- > 0;)
                if (!drop(&lingering->sockets[i]) || now_ns >= lingering->sockets[i].until_ns)
                        remove_at(lingering, i);
}

static bool is_ready(const struct pollfd *listeners, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (listeners[i].revents != 0)
                        return true;
        return false;
}

void lingering_wait(struct lingering *lingering, const int *listeners, size_t count, const struct slot *slot)
{
        struct pollfd pollers[LISTENERS_MAX + LINGERING_MAX];
        bool is_left = false;

        count = MIN_OF(count, (size_t)LISTENERS_MAX);
        while (lingering->count > 0 && !door_is_closed()) {
                for (size_t i = 0; i < count; i++)
                        pollers[i] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
                size_t sockets = lingering_fill(lingering, pollers + count);
                sys_poll(pollers, (unsigned)(count + sockets), lingering_timeout_ms(lingering));
                lingering_look(lingering);
                if (!is_ready(pollers, count)) {
                        is_left = false;
                        continue;
                }
                if (is_left || idle_set_count(slot->board) <= 1)
                        return;
                sys_poll(pollers, 0, left_ms(slot));
                is_left = true;
        }
}

void lingering_end(struct lingering *lingering)
{
        lingering_look(lingering);
        while (lingering->count > 0)
                remove_at(lingering, lingering->count - 1);
}
