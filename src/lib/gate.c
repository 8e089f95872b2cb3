#include "lib/gate.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "lib/host_text.h"
#include "lib/pool_rate.h"
#include "lib/proxy_reader.h"
#include "lib/record_limit.h"
#include "lib/sys.h"

/* Who has connected to a UNIX socket, as the kernel noted it then. */
static void find_user(int connection, struct access_user *ret)
{
        struct ucred credentials = {0};
        socklen_t length = sizeof(credentials);

        if (connection < 0 || sys_socket_value(connection, SO_PEERCRED, &credentials, &length) < 0)
                return;
        ret->is_known = true;
        ret->uid = credentials.uid;
        ret->groups[0] = credentials.gid;
        ret->group_count = 1;
        length = sizeof(ret->groups) - sizeof(ret->groups[0]);
        if (sys_socket_value(connection, SO_PEERGROUPS, &ret->groups[1], &length) < 0)
                ret->has_more_groups = true;
        else
                ret->group_count += length / sizeof(ret->groups[0]);
}

static bool is_unix(const struct address *peer)
{
        return peer->any.sa_family != AF_INET && peer->any.sa_family != AF_INET6;
}

static enum gate_answer check_access(const struct access_table *table, const struct address *peer, int connection)
{
        struct access_user user;

        user.is_known = user.has_more_groups = false;
        user.group_count = 0;
        if (is_unix(peer) && access_needs_user(table))
                find_user(connection, &user);
        enum access_answer answer = access_look_up(table, peer, &user);
        if (access_admits(table, answer))
                return GATE_ADMITTED;
        return answer == ACCESS_DENY ? GATE_DENIED : GATE_NOT_ALLOWED;
}

/* A proxy that is trusted must say whose connection it is; from others nothing is looked for. */
static enum gate_answer read_header(const struct access_table *proxies, struct slot *slot, struct client *client,
                                    int connection, enum proxy_result *ret_reason)
{
        const struct proxy_header *header = &client->header;

        *ret_reason = PROXY_DONE;
        if (connection < 0 || check_access(proxies, &client->peer, connection) != GATE_ADMITTED)
                return GATE_ADMITTED;
        *ret_reason = proxy_reader_read(connection, GATE_PROXY_TIMEOUT_MS, slot, &client->header);
        if (*ret_reason != PROXY_DONE)
                return GATE_NOT_PROXIED;
        client->is_announced = header->has_addresses;
        if (client->is_announced) {
                client->proxy = client->peer;
                client->peer = header->source;
        }
        return GATE_ADMITTED;
}

/* A client that has gone is the handler's to find out about. */
static enum gate_answer greet(const struct gate *gate, struct request_desk *desk, int connection)
{
        const struct lingering_text *banner = &gate->banner;

        if (banner->length == 0 || connection < 0)
                return GATE_ADMITTED;
        long r = sys_send_now(connection, banner->bytes, banner->length);
        if (r >= 0 ? (size_t)r == banner->length : r != -EAGAIN && r != -ENOBUFS && r != -ENOMEM)
                return GATE_ADMITTED;
        request_revoke(desk);
        slot_refused_banner(&desk->slot);
        return GATE_NO_ROOM;
}

static bool is_within_rate(const struct slot *slot, uint64_t source)
{
        return source == 0 || !slot->rates || !rate_table_limits_sources(slot->rates) ||
               rate_table_take(slot->rates, source, sys_now_ns());
}

static enum gate_answer decide(const struct gate *gate, struct request_desk *desk, struct client *client,
                               int connection, enum proxy_result *ret_reason)
{
        enum gate_answer answer = GATE_ADMITTED;

        if (gate->proxies)
                answer = read_header(gate->proxies, &desk->slot, client, connection, ret_reason);
        if (answer != GATE_ADMITTED) {
                slot_refused_proxy(&desk->slot);
                return answer;
        }
        if (gate->access)
                answer = check_access(gate->access, &client->peer, connection);
        if (answer != GATE_ADMITTED) {
                slot_refused_access(&desk->slot);
                return answer;
        }
        uint64_t source = request_source(desk, &client->peer, connection);
        if (!is_within_rate(&desk->slot, source)) {
                slot_refused_rate(&desk->slot);
                return GATE_TOO_FAST;
        }
        enum request_answer admitted = request_admit(desk, source, &client->peer, connection);
        if (admitted != REQUEST_ADMITTED)
                return admitted == REQUEST_TOO_MANY ? GATE_TOO_MANY : GATE_TOO_LATE;
        pool_rate_wait(&desk->slot);
        return greet(gate, desk, connection);
}

enum gate_answer gate_decide(const struct gate *gate, struct request_desk *desk, struct client *client, int connection,
                             enum proxy_result *ret_reason)
{
        client->header.version = 0;
        client->is_announced = false;
        desk->log.has_wait = false;
        enum gate_answer answer = decide(gate, desk, client, connection, ret_reason);

        uint32_t activity = atomic_load(&desk->slot.words->activity);
        if (answer != GATE_ADMITTED && (activity == PREFORK_HOLDING || activity == PREFORK_THROTTLED))
                slot_idle(&desk->slot, sys_now_ns());
        return answer;
}

enum connection_end gate_end(enum gate_answer answer)
{
        switch (answer) {
        case GATE_TOO_MANY:
                return CONNECTION_TOO_MANY;
        case GATE_NOT_PROXIED:
                return CONNECTION_NO_PROXY;
        case GATE_TOO_LATE:
                return CONNECTION_TOO_LATE;
        case GATE_NO_ROOM:
                return CONNECTION_NO_ROOM;
        case GATE_TOO_FAST:
                return CONNECTION_TOO_FAST;
        default:
                return CONNECTION_REFUSED;
        }
}

static _Atomic uint64_t *record_of(struct prefork_scoreboard *board, enum gate_answer answer)
{
        switch (answer) {
        case GATE_TOO_MANY:
                return &board->records[PREFORK_RECORD_REFUSED];
        case GATE_TOO_LATE:
                return &board->admission_records[PREFORK_ADMISSION_RECORD_WAIT];
        case GATE_NO_ROOM:
                return &board->admission_records[PREFORK_ADMISSION_RECORD_BANNER];
        case GATE_TOO_FAST:
                return &board->admission_records[PREFORK_ADMISSION_RECORD_RATE];
        case GATE_NOT_PROXIED:
                return &board->admission_records[PREFORK_ADMISSION_RECORD_PROXY];
        default:
                return &board->admission_records[PREFORK_ADMISSION_RECORD_ACCESS];
        }
}

bool gate_may_log(struct prefork_scoreboard *board, const struct gate_refusal *refusal, uint32_t *ret_more)
{
        if (refusal->answer == GATE_NOT_PROXIED && refusal->reason == PROXY_CLOSED)
                return false;
        return record_limit_take(record_of(board, refusal->answer), sys_now_ns(), ret_more);
}

static void add_client(struct line *line, const struct address *peer, int connection)
{
        struct access_user user = {0};

        if (!is_unix(peer)) {
                host_text_add(line, peer, connection);
                return;
        }
        find_user(connection, &user);
        line_add(line, user.is_known ? "uid " : "an unknown user");
        if (user.is_known)
                line_add_number(line, user.uid);
}

static void add_reason(struct line *line, const struct prefork_scoreboard *board, const struct gate_refusal *refusal)
{
        switch (refusal->answer) {
        case GATE_TOO_MANY:
                line_add(line, "it has ");
                line_add_number(line, atomic_load(&board->max_connections_per_source));
                line_add(line, " already (max_connections_per_source)");
                break;
        case GATE_TOO_LATE:
                line_add(line, "it has waited for more than ");
                line_add_number(line, atomic_load(&board->queue_timeout_ms));
                line_add(line, " ms (queue_timeout)");
                break;
        case GATE_NO_ROOM:
                line_add(line, "it does not read the banner");
                break;
        case GATE_TOO_FAST:
                line_add(line, is_unix(&refusal->client->peer) ? "its user" : "its address");
                line_add(line, " is over rate_limit_per_source");
                break;
        case GATE_NOT_PROXIED:
                line_add(line, proxy_result_text(refusal->reason));
                line_add(line, " (proxy_protocol)");
                break;
        default:
                line_add(line, refusal->answer == GATE_DENIED ? "deny has its " : "allow does not have its ");
                line_add(line, is_unix(&refusal->client->peer) ? "user or group" : "address");
        }
}

void gate_explain(struct line *line, const struct prefork_scoreboard *board, const struct gate_refusal *refusal,
                  uint32_t more)
{
        const struct client *client = refusal->client;
        char more_text[RECORD_LIMIT_TEXT_MAX];

        line_add(line, "refused a connection from ");
        add_client(line, &client->peer, refusal->connection);
        if (client->is_announced) {
                line_add(line, ", announced by ");
                add_client(line, &client->proxy, refusal->connection);
        }
        line_add(line, ": ");
        add_reason(line, board, refusal);
        line_add(line, record_limit_text(more, more_text));
}

/* The texts, at the end. */
static bool find_texts(const char *bytes, size_t size, struct gate *gate)
{
        struct gate_texts texts;

        if (size < sizeof(texts))
                return false;
        __builtin_memcpy(&texts, bytes, sizeof(texts));
        if (texts.banner_bytes > size || size - sizeof(texts) < (size_t)texts.banner_bytes + texts.full_response_bytes)
                return false;
        bytes += sizeof(texts);
        gate->banner = (struct lingering_text){.bytes = bytes, .length = texts.banner_bytes};
        gate->full_response =
                (struct lingering_text){.bytes = bytes + texts.banner_bytes, .length = texts.full_response_bytes};
        return true;
}

bool gate_find(const void *memory, size_t size, struct gate *ret)
{
        const char *bytes = memory;

        ret->access = memory;
        if (!access_is_whole(ret->access, size))
                return false;
        bytes += ret->access->bytes;
        size -= ret->access->bytes;
        ret->proxies = (const void *)bytes;
        if (!access_is_whole(ret->proxies, size))
                return false;
        return find_texts(bytes + ret->proxies->bytes, size - ret->proxies->bytes, ret);
}
