/* Who is refused before the program sees them. */
#include "lib/door.h"
#include "lib/sys.h"
#include "preload/accounting_private.h"
#include "preload/admission.h"
#include "preload/listeners.h"
#include "preload/record.h"

void accounting_guard_renew(void)
{
        connection_log_open(&accounting.desk.log,
                            (enum connection_log_mode)accounting.attachment.values[ATTACH_CONNECTION_LOG],
                            accounting.desk.slot.board, sys_getpid());
}

int accounting_guard_begin(void)
{
        const struct attachment *attachment = &accounting.attachment;
        size_t bytes;

        accounting_guard_renew();
        if (attachment->has[ATTACH_LOG_FD])
                record_set_targets(-1, (int)attachment->values[ATTACH_LOG_FD]);
        if (!attachment->has[ATTACH_ACCESS_FD])
                return 0;
        return admission_map((int)attachment->values[ATTACH_ACCESS_FD], &accounting.gate, &bytes);
}

bool accounting_admits(int connection, const struct address *peer)
{
        static struct client client; /* too large for a stack that is not ours */
        struct gate_refusal refusal = {.client = &client, .connection = connection};
        const struct rate_table *rates = accounting.desk.slot.rates;
        bool may_hold = rates && rate_table_limits_pool(rates);

        client.peer = *peer;
        if (may_hold) /* for long, perhaps */
                sys_block_signal(DOOR_SIGNAL, false);
        refusal.answer = gate_decide(&accounting.gate, &accounting.desk, &client, connection, &refusal.reason);
        if (may_hold)
                sys_block_signal(DOOR_SIGNAL, true);
        if (refusal.answer == GATE_ADMITTED)
                return true;
        if (accounting.gate.full_response.length > 0)
                sys_set_cloexec(connection); /* the program has chosen for those that it gets */
        admission_refuse(&accounting.gate, &accounting.desk, &refusal, &accounting.lingering);
        return false;
}

/* A program that polls looks at all listeners in turn, and must come back for them; another waits for this one. */
void accounting_linger(int fd)
{
        if (accounting.lingering.count == 0)
                return;
        sys_block_signal(DOOR_SIGNAL, false);
        lingering_wait(&accounting.lingering, accounting.polls ? listeners_numbers() : &fd,
                       accounting.polls ? listeners_count() : 1, &accounting.desk.slot);
        sys_block_signal(DOOR_SIGNAL, true);
}
