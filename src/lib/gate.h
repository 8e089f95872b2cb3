/* Who of those who connect is served: the decision between accept and the begin of a request. All who accept in code of
 * ours ask it: the worker's accept loop (worker/admission) and the preload object (preload/service_wait).
 *
 * The order: the PROXY header, which says who the client is; access rules; the rate of its source; its connections; the
 * wait; the rate of the pool. Who is admitted is greeted at last. What must stay true: a refusal is counted here, once,
 * and costs no handler and no process. Async-signal-safe, allocates nothing; waits for PROXY headers, for
 * GATE_PROXY_TIMEOUT_MS, and for the pool's rate (lib/pool_rate). */
#pragma once

#include "base/access_table.h"
#include "lib/client.h"
#include "lib/line.h"
#include "lib/lingering.h"
#include "lib/request.h"

#define GATE_PROXY_TIMEOUT_MS 3000

/* What a pool asks of its clients. */
struct gate {
        const struct access_table *access;   /* NULL: everybody may come in */
        const struct access_table *proxies;  /* who must announce clients, and is believed; NULL: nobody */
        struct lingering_text banner;        /* what those get that are admitted … */
        struct lingering_text full_response; /* … and those that are not: lingering_refuse() */
};

/* In memory that processes share: the access table, that of the proxies, this, and the bytes of both texts. */
struct gate_texts {
        uint32_t banner_bytes, full_response_bytes;
};

enum gate_answer {
        GATE_ADMITTED,    /* the caller calls request_begin() … */
        GATE_DENIED,      /* … or closes the connection: `deny` names the client … */
        GATE_NOT_ALLOWED, /* … or `allow` does not … */
        GATE_TOO_FAST,    /* … or its source is over rate_limit_per_source … */
        GATE_TOO_MANY,    /* … or it has max_connections_per_source connections … */
        GATE_NOT_PROXIED, /* … or it is of a proxy, and has no good PROXY header … */
        GATE_TOO_LATE,    /* … or it has waited longer than queue_timeout … */
        GATE_NO_ROOM,     /* … or the banner has no room in its buffer: its client does not read */
};

/* Decide about a connection; -1: a datagram. Of `client`, `peer` is what accept(2) gave; this fills in the rest, and
 * sets *ret_reason to what is wrong with a PROXY header. */
enum gate_answer gate_decide(const struct gate *gate, struct request_desk *desk, struct client *client, int connection,
                             enum proxy_result *ret_reason);

/* A refusal, for its record. */
struct gate_refusal {
        enum gate_answer answer;
        enum proxy_result reason;
        const struct client *client;
        int connection;
};

/* The same for connection_log. */
enum connection_end gate_end(enum gate_answer answer);

/* May a record about such a refusal be logged now (lib/record_limit)? True: *ret_more is as there. A connection that
 * has ended without a byte is not worth one: so looks who only tries whether somebody listens. */
bool gate_may_log(struct prefork_scoreboard *board, const struct gate_refusal *refusal, uint32_t *ret_more);

/* Append the text of that record: "refused a connection from 192.0.2.1: deny has its address; and 3 more …". */
void gate_explain(struct line *line, const struct prefork_scoreboard *board, const struct gate_refusal *refusal,
                  uint32_t more);

/* All that a pool asks, in such memory, which must stay. False: it is not whole. */
bool gate_find(const void *memory, size_t size, struct gate *ret);
