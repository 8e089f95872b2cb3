#include "worker/refuser.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/idle_set.h"
#include "os/net/listener.h"
#include "os/net/refusal.h"
#include "worker/orders.h"
#include "worker/worker_setup.h"

/* How long a connection waits before it is refused. A client gets the end of its reply a moment before its worker is
 * idle again, and on a busy machine that moment may be long. Such a client must not be refused if it connects again at
 * once. */
#define PATIENCE_MS 50

/* The number of connections that wait now. */
static uint64_t count_waiting(const struct worker_plan *plan)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < plan->listener_count; i++) {
                struct listener listener = {.fd = plan->listeners[i]};
                uint32_t queued;
                listener.address.length = sizeof(listener.address.un);
                if (getsockname(listener.fd, &listener.address.any, &listener.address.length) < 0 ||
                    listener_queue_length(&listener, &queued) < 0)
                        queued = 1; /* unknown: refuse one at a time */
                sum += queued;
        }
        return sum;
}

/* The number of connections that workers have accepted, to serve or to refuse them. It decreases when a slot is
 * reused. */
static uint64_t count_taken(const struct prefork_scoreboard *board)
{
        uint32_t limit = MIN_OF(atomic_load(&board->slot_limit), (uint32_t)PREFORK_SCOREBOARD_SLOTS);
        uint64_t sum = 0;

        for (uint32_t i = 0; i < limit; i++)
                sum += atomic_load(&board->slots[i].requests_begun) + atomic_load(&board->slots[i].refused);
        return sum;
}

/* How many of the connections that wait now still wait PATIENCE_MS later. A queue is first-in-first-out, so all
 * connections that workers accept in that time are among those that wait now. */
static uint64_t count_in_vain(const struct worker_plan *plan, const struct prefork_scoreboard *board)
{
        uint64_t before = count_taken(board), waiting = count_waiting(plan);

        poll(NULL, 0, PATIENCE_MS);
        uint64_t after = count_taken(board);
        return after >= before && after - before < waiting ? waiting - (after - before) : 0;
}

/* Close up to `most` connections that wait on one listener, as long as no worker is idle. Returns `most` minus those
 * that it has closed. */
static uint64_t refuse_waiting(struct prefork_scoreboard *board, int listener, uint64_t most)
{
        for (; most > 0 && idle_set_count(board) == 0 && !door_is_closed(); most--) {
                int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (connection < 0)
                        break;
                refusal_close(connection);
                atomic_fetch_add_explicit(&board->refused, 1, memory_order_relaxed);
        }
        return most;
}

static int refuse(const struct worker_plan *plan, struct prefork_scoreboard *board)
{
        _cleanup_(freep) struct pollfd *pollers = calloc(plan->listener_count, sizeof(*pollers));

        if (!pollers)
                return WORKER_EXIT_START_FAILED;
        for (size_t i = 0; i < plan->listener_count; i++)
                pollers[i] = (struct pollfd){.fd = plan->listeners[i], .events = POLLIN};
        while (!door_is_closed()) {
                int ready = poll(pollers, plan->listener_count, -1); /* the door makes them readable */
                uint64_t in_vain = ready > 0 ? count_in_vain(plan, board) : 0;
                for (size_t i = 0; i < plan->listener_count; i++)
                        in_vain = refuse_waiting(board, plan->listeners[i], in_vain);
        }
        return WORKER_EXIT_RETIRED;
}

int refuser_run(const struct worker_plan *plan, struct prefork_scoreboard *board)
{
        struct worker_failure failure;

        if (worker_setup(plan, NULL, &failure) < 0)
                return WORKER_EXIT_START_FAILED;
        if (door_install(plan->listeners, plan->listener_count, plan->master_pid, 0) < 0)
                return WORKER_EXIT_ORPHANED;
        if (orders_install(NULL, NULL) < 0)
                return WORKER_EXIT_START_FAILED;
        return refuse(plan, board);
}
