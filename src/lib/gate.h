/* Who of those who connect is served: the decision between accept and the begin of a request. All who accept in code of
 * ours ask it: the worker's accept loop (worker/admission) and the preload object (preload/service_wait).
 *
 * The order is that in which a refusal costs least: access rules, then connections by source. What must stay true: a
 * refusal is counted here, once, and costs no handler and no process. Async-signal-safe, allocates nothing. */
#pragma once

#include "base/access_table.h"
#include "base/address.h"
#include "lib/line.h"
#include "lib/request.h"

/* What a pool asks of its clients. */
struct gate {
        const struct access_table *access; /* NULL: everybody may come in */
};

enum gate_answer {
        GATE_ADMITTED,    /* the caller calls request_begin() … */
        GATE_DENIED,      /* … or closes the connection: `deny` names the client … */
        GATE_NOT_ALLOWED, /* … or `allow` does not … */
        GATE_TOO_MANY,    /* … or it has max_connections_per_source connections */
};

/* Decide about a connection of this client; -1: a datagram. */
enum gate_answer gate_decide(const struct gate *gate, struct request_desk *desk, const struct address *peer,
                             int connection);

/* May a record about such a refusal be logged now (lib/record_limit)? True: *ret_more is as there. */
bool gate_may_log(struct prefork_scoreboard *board, enum gate_answer answer, uint32_t *ret_more);

/* Append the text of that record: "refused a connection from 192.0.2.1: deny has its address; and 3 more …". */
void gate_explain(struct line *line, const struct prefork_scoreboard *board, enum gate_answer answer,
                  const struct address *peer, int connection, uint32_t more);
