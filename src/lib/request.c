#include "lib/request.h"

#include <stddef.h>
#include <sys/socket.h>

#include "lib/source.h"
#include "lib/sys.h"

/* While nobody waits and requests are short, every eighth connection is asked: it takes a system call, which is 2 % of
 * what the fastest handlers cost. */
#define WAIT_PASS 7
#define SHORT_NS 5000000 /* no more than the kernel's tick */

/* The kernel notes when it has made the socket of a connection as the time when data was last sent on it, in ticks of
 * its own, and so it stays until somebody sends. For UNIX sockets it has no such note. False: the wait is not known. */
static bool find_wait(const struct address *peer, int connection, uint64_t *ret_ms)
{
        struct tcp_info info;
        socklen_t length = sizeof(info);
        bool is_tcp = connection >= 0 && (peer->any.sa_family == AF_INET || peer->any.sa_family == AF_INET6);

        info.tcpi_last_data_sent = 0;
        if (!is_tcp || sys_tcp_info(connection, &info, &length) < 0 ||
            length < offsetof(struct tcp_info, tcpi_last_data_sent) + sizeof(info.tcpi_last_data_sent))
                return false;
        *ret_ms = info.tcpi_last_data_sent;
        return true;
}

/* For how long this worker has held the connection already, for its PROXY header: that was no wait for a worker. */
static uint64_t held_ms(const struct request_desk *desk)
{
        const struct prefork_slot *words = desk->slot.words;
        uint64_t since_ns = atomic_load_explicit(&words->activity_since_ns, memory_order_relaxed), now_ns;

        if (atomic_load_explicit(&words->activity, memory_order_relaxed) != PREFORK_HOLDING)
                return 0;
        now_ns = sys_now_ns();
        return now_ns > since_ns ? (now_ns - since_ns) / 1000000 : 0;
}

/* Count how long a connection has waited. True: longer than it may. */
static bool has_waited_too_long(struct request_desk *desk, const struct address *peer, int connection)
{
        uint32_t most_ms = atomic_load(&desk->slot.board->queue_timeout_ms);
        uint64_t wait_ms, held;

        if (most_ms == 0 && desk->wait_pass > 0 && desk->log.mode != CONNECTION_LOG_ALL) {
                desk->wait_pass--;
                return false;
        }
        if (!find_wait(peer, connection, &wait_ms))
                return false;
        held = held_ms(desk);
        wait_ms = wait_ms > held ? wait_ms - held : 0;
        desk->wait_pass = wait_ms > 0 ? 0 : WAIT_PASS;
        slot_waited(&desk->slot, wait_ms * 1000000);
        desk->log.has_wait = true;
        desk->log.wait_us = wait_ms * 1000;
        return most_ms > 0 && wait_ms > most_ms;
}

uint64_t request_source(const struct request_desk *desk, const struct address *peer, int connection)
{
        const struct rate_table *rates = desk->slot.rates;
        struct ucred user = {0};
        socklen_t length = sizeof(user);

        if (atomic_load(&desk->slot.board->max_connections_per_source) == 0 &&
            !(rates && rate_table_limits_sources(rates)))
                return 0;
        if (peer->any.sa_family == AF_INET || peer->any.sa_family == AF_INET6)
                return source_of(rates, peer);
        bool is_known = connection >= 0 && sys_socket_value(connection, SO_PEERCRED, &user, &length) == 0;
        return is_known ? source_of_user(rates, user.uid) : 0;
}

enum request_answer request_admit(struct request_desk *desk, uint64_t source, const struct address *peer,
                                  int connection)
{
        if (!slot_enter_source(&desk->slot, source))
                return REQUEST_TOO_MANY;
        if (!has_waited_too_long(desk, peer, connection))
                return REQUEST_ADMITTED;
        request_revoke(desk);
        slot_refused_wait(&desk->slot);
        return REQUEST_TOO_LATE;
}

void request_revoke(struct request_desk *desk)
{
        slot_leave_source(&desk->slot);
}

void request_begin(struct request_desk *desk, uint64_t now_ns)
{
        slot_busy(&desk->slot, now_ns);
        recycling_request_begun(&desk->recycling, &desk->slot, now_ns);
}

void request_end(struct request_desk *desk, uint64_t now_ns, int status, uint64_t cpu_us)
{
        if (now_ns - atomic_load_explicit(&desk->slot.words->activity_since_ns, memory_order_relaxed) > SHORT_NS)
                desk->wait_pass = 0; /* others may have waited meanwhile */
        slot_leave_source(&desk->slot);
        slot_done(&desk->slot, now_ns, status, cpu_us);
}

bool request_may_continue(struct request_desk *desk)
{
        return !recycling_is_due(&desk->recycling, &desk->slot, sys_now_ns());
}

bool request_idle(struct request_desk *desk)
{
        slot_idle(&desk->slot, sys_now_ns());
        return !recycling_was_granted(&desk->recycling, &desk->slot);
}

bool request_next(struct request_desk *desk)
{
        return request_may_continue(desk) && request_idle(desk);
}
