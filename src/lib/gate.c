#include "lib/gate.h"

#include <sys/socket.h>

#include "base/cleanup.h"
#include "lib/host_text.h"
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

enum gate_answer gate_decide(const struct gate *gate, struct request_desk *desk, const struct address *peer,
                             int connection)
{
        enum gate_answer answer = gate->access ? check_access(gate->access, peer, connection) : GATE_ADMITTED;

        if (answer != GATE_ADMITTED) {
                slot_refused_access(&desk->slot);
                return answer;
        }
        return request_admit(desk, peer) ? GATE_ADMITTED : GATE_TOO_MANY;
}

bool gate_may_log(struct prefork_scoreboard *board, enum gate_answer answer, uint32_t *ret_more)
{
        _Atomic uint64_t *word = answer == GATE_TOO_MANY ? &board->records[PREFORK_RECORD_REFUSED]
                                                         : &board->admission_records[PREFORK_ADMISSION_RECORD_ACCESS];

        return record_limit_take(word, sys_now_ns(), ret_more);
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

void gate_explain(struct line *line, const struct prefork_scoreboard *board, enum gate_answer answer,
                  const struct address *peer, int connection, uint32_t more)
{
        const char *what = is_unix(peer) ? "user or group" : "address";
        char more_text[RECORD_LIMIT_TEXT_MAX];

        line_add(line, "refused a connection from ");
        add_client(line, peer, connection);
        if (answer == GATE_TOO_MANY) {
                line_add(line, ": it has ");
                line_add_number(line, atomic_load(&board->max_connections_per_source));
                line_add(line, " already (max_connections_per_source)");
        } else {
                line_add(line, answer == GATE_DENIED ? ": deny has its " : ": allow does not have its ");
                line_add(line, what);
        }
        line_add(line, record_limit_text(more, more_text));
}
