#include "worker/admission.h"

#include "base/log.h"
#include "lib/refusal.h"

#define TEXT_MAX 512

struct gate admission_gate(const struct pool_config *pool)
{
        return (struct gate){.access = pool->access.table};
}

static void log_refusal(struct prefork_scoreboard *board, enum gate_answer answer, const struct address *peer,
                        int connection)
{
        char text[TEXT_MAX];
        struct line line = line_begin(text, sizeof(text));
        uint32_t more;

        if (!gate_may_log(board, answer, &more))
                return;
        gate_explain(&line, board, answer, peer, connection, more);
        log_notice("%s", text);
}

bool admission_admits(const struct gate *gate, struct request_desk *desk, const struct address *peer, int connection)
{
        enum gate_answer answer = gate_decide(gate, desk, peer, connection);

        if (answer == GATE_ADMITTED)
                return true;
        log_refusal(desk->slot.board, answer, peer, connection);
        if (connection >= 0) /* a datagram is dropped */
                refusal_close(connection);
        return false;
}
