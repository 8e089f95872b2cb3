#include "lib/request.h"

#include "lib/source.h"
#include "lib/sys.h"

bool request_admit(struct request_desk *desk, const struct address *peer)
{
        return slot_enter_source(&desk->slot, source_of(peer));
}

void request_begin(struct request_desk *desk, uint64_t now_ns)
{
        slot_busy(&desk->slot, now_ns);
        recycling_request_begun(&desk->recycling, &desk->slot, now_ns);
}

void request_end(struct request_desk *desk, uint64_t now_ns, int status, uint64_t cpu_us)
{
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
