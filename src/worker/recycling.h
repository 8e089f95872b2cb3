/* Recycling as a worker sees it: when its time has come, and the question to the master.
 *
 * The question is put when the last request begins, so that the replacement is usually ready when it ends; the worker
 * then waits briefly for the answer, outside the idle set. Limits are read from the scoreboard, where a reload changes
 * them in place. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/slot.h"

struct recycling {
        int statm_fd;           /* /proc/self/statm, opened before the root directory changes */
        uint64_t born_ns;
        int32_t jitter_permille; /* this worker's share of the jitter, -1000..1000 */
        uint64_t postponed;     /* requests granted on top by an answer LATER */
        bool master_silent;     /* it left a question without an answer: it is not waited for again until it answers */
};

/* 0 or -errno of open(2). */
int recycling_open(struct recycling *recycling, uint64_t now_ns);

/* A request has begun: if it is to be the last, ask. */
void recycling_request_begun(const struct recycling *recycling, struct slot *slot, uint64_t now_ns);

/* True if leave to go has come after recycling_is_due() had ceased to wait for it. To be asked when the worker is in the
 * idle set again: the master answers first and then looks whether it is. */
bool recycling_was_granted(const struct slot *slot);

/* A request has ended: true if the worker shall end now. Waits for the master's answer if a question is open. */
bool recycling_is_due(struct recycling *recycling, struct slot *slot, uint64_t now_ns);
