/* A worker's side of recycling: whether a limit is reached, and the question to the master.
 *
 * Called by lib/request. The worker asks when its last request begins, so that the replacement is usually
 * ready when the request ends; then it waits briefly for the answer, outside the idle set. The limits are in the
 * scoreboard, where a reload changes them in place.
 *
 * Threads of a worker share a team: their requests are counted together, whichever of them is due asks in the first
 * one's slot, and none waits for the answer: each looks for it when its request has ended. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/slot.h"

struct recycling_team {
        struct slot *first; /* not owned */
        _Atomic uint64_t begun, postponed;
        atomic_bool asking; /* one of them writes its question just now */
};

struct recycling {
        struct recycling_team *team; /* NULL: a worker without threads; not owned */
        int statm_fd;                /* of recycling_open_memory(); < 0: no recycling by memory; not owned */
        uint64_t born_ns;
        int32_t jitter_permille; /* this worker's part of max_requests_jitter, -1000..1000 */
        uint64_t postponed;      /* requests added to the limit by answers LATER */
        bool master_silent;      /* the master did not answer in time: do not wait for it again until it answers */
};

/* Open what tells the memory of this process, also after it has executed another program. Call it before the root
 * directory changes. A descriptor, or -errno: there is no /proc, and so no recycling by memory; all else works. */
int recycling_open_memory(void);

/* The worker's life begins. */
void recycling_begin(struct recycling *recycling, int statm_fd, uint64_t now_ns);

/* A request has begun: if it is to be the last, ask the master. */
void recycling_request_begun(const struct recycling *recycling, struct slot *slot, uint64_t now_ns);

/* True if the answer GO came after recycling_is_due() had stopped waiting, or to another thread. Call it when the
 * worker is in the idle set again, because the master answers first and then checks the idle set: one of the two sees
 * the other. */
bool recycling_was_granted(const struct recycling *recycling, const struct slot *slot);

/* A request has ended: true if the worker must end now. Waits for the master's answer if a question is open. */
bool recycling_is_due(struct recycling *recycling, struct slot *slot, uint64_t now_ns);
