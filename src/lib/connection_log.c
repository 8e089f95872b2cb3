#include "lib/connection_log.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/pool_memory.h"
#include "lib/sys.h"
#include "lib/tcp_counts.h"

void connection_log_open(struct connection_log *log, enum connection_log_mode mode, struct prefork_scoreboard *board,
                         int32_t worker)
{
        *log = (struct connection_log){.mode = mode, .ring = connection_ring_of(board), .worker = worker};
}

static struct connection_side side_of(const struct address *address)
{
        struct connection_side side = {0};

        if (address->any.sa_family == AF_INET)
                side.in = address->in;
        if (address->any.sa_family == AF_INET6)
                side.in6 = address->in6;
        return side;
}

static void find_user(int connection, struct connection_record *record)
{
        struct ucred credentials = {0};
        socklen_t length = sizeof(credentials);

        if (connection < 0 || sys_socket_value(connection, SO_PEERCRED, &credentials, &length) < 0)
                return;
        record->uid = credentials.uid;
        record->has |= CONNECTION_HAS_USER;
}

static void find_place(int socket, struct connection_place *ret)
{
        ret->length = sizeof(ret->un);
        if (socket < 0 || sys_socket_name(socket, &ret->any, &ret->length) < 0)
                ret->any.sa_family = 0;
}

void connection_log_note_listeners(struct connection_log *log, const int *listeners, size_t count)
{
        struct connection_place place = {.length = 0};

        if (log->mode == CONNECTION_LOG_NO || count != 1)
                return;
        find_place(listeners[0], &place);
        bool is_any = (place.any.sa_family == AF_INET && place.in.sin_addr.s_addr == INADDR_ANY) ||
                      (place.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&place.in6.sin6_addr));
        if (!is_any)
                log->local = place;
}

void connection_log_begin(const struct connection_log *log, const struct client *client, int connection,
                          struct connection_record *ret)
{
        __builtin_memset(ret, 0, sizeof(*ret));
        ret->client = side_of(&client->peer);
        if (client->is_announced) {
                ret->proxy = side_of(&client->proxy);
                ret->has |= CONNECTION_HAS_PROXY;
        }
        if (ret->client.any.sa_family == 0)
                find_user(connection, ret);
        if (log->has_wait) {
                ret->wait_us = log->wait_us;
                ret->has |= CONNECTION_HAS_WAIT;
        }
        if (connection >= 0 && log->local.any.sa_family != 0)
                ret->local = log->local;
        else
                find_place(connection, &ret->local);
}

/* The end of the client's data counts as a byte. It has come in these states; in TCP_CLOSE it has, unless the client
 * has broken the connection off, which is the rarer case. */
static bool has_client_ended(uint8_t state)
{
        switch (state) {
        case TCP_CLOSE_WAIT:
        case TCP_LAST_ACK:
        case TCP_CLOSING:
        case TCP_TIME_WAIT:
        case TCP_CLOSE:
                return true;
        default:
                return false;
        }
}

void connection_log_measure(int connection, struct connection_record *record)
{
        struct tcp_counts counts;

        if (connection < 0 || record->client.any.sa_family == 0 || !tcp_counts_read(connection, &counts))
                return;
        record->rtt_us = counts.info.tcpi_rtt;
        record->bytes_in = counts.bytes_received;
        if (record->bytes_in > 0 && has_client_ended(counts.info.tcpi_state))
                record->bytes_in--;
        /* What the handler has written: sent once, or to be sent. */
        record->bytes_out = counts.bytes_sent - counts.bytes_retrans + counts.notsent_bytes;
        record->has |= CONNECTION_HAS_TCP;
}

enum connection_end connection_log_end_of(int status, bool is_ordered)
{
        if (is_ordered)
                return CONNECTION_TIMED_OUT;
        if (!WIFSIGNALED(status))
                return CONNECTION_SERVED;
        return WTERMSIG(status) == SIGPIPE ? CONNECTION_LEFT : CONNECTION_KILLED;
}

void connection_log_write(const struct connection_log *log, int wake_fd, struct connection_record *record)
{
        static const char byte = CONNECTION_RING_WAKE;

        record->magic = CONNECTION_RECORD_MAGIC;
        record->worker = log->worker;
        if (connection_ring_put(log->ring, record))
                (void)sys_write(wake_fd, &byte, 1); /* a full pipe wakes as well */
}

void connection_log_refused(const struct connection_log *log, int wake_fd, const struct client *client, int connection,
                            enum connection_end end)
{
        struct connection_record record;

        if (log->mode == CONNECTION_LOG_NO)
                return;
        connection_log_begin(log, client, connection, &record);
        connection_log_measure(connection, &record);
        record.end = end;
        connection_log_write(log, wake_fd, &record);
}
