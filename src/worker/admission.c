#include "worker/admission.h"

#include "base/log.h"

#define TEXT_MAX 512

struct gate admission_gate(const struct pool_config *pool)
{
        const struct message *banner = &pool->banner, *response = &pool->full_response;

        return (struct gate){.access = pool->access.table,
                             .proxies = pool->proxies.table,
                             .banner = {.bytes = banner->bytes, .length = banner->length},
                             .full_response = {.bytes = response->bytes, .length = response->length}};
}

static void log_refusal(struct prefork_scoreboard *board, const struct gate_refusal *refusal)
{
        char text[TEXT_MAX];
        struct line line = line_begin(text, sizeof(text));
        uint32_t more;

        if (!gate_may_log(board, refusal, &more))
                return;
        gate_explain(&line, board, refusal, more);
        log_notice("%s", text);
}

bool admission_admits(const struct gate *gate, struct request_desk *desk, struct client *client, int connection,
                      struct lingering *lingering)
{
        struct gate_refusal refusal = {.client = client, .connection = connection};

        refusal.answer = gate_decide(gate, desk, client, connection, &refusal.reason);
        if (refusal.answer == GATE_ADMITTED) {
                lingering_end(lingering);
                return true;
        }
        log_refusal(desk->slot.board, &refusal);
        connection_log_refused(&desk->log, desk->slot.wake_fd, client, connection, gate_end(refusal.answer));
        if (connection >= 0) /* a datagram is dropped */
                lingering_refuse(lingering, connection, &gate->full_response);
        return false;
}
