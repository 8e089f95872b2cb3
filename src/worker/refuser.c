#include "worker/refuser.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/idle_set.h"
#include "lib/slot.h"
#include "worker/worker_setup.h"

#define QUIET_MS 10000 /* nothing came for so long: the pool is not full any more */
#define YIELD_MS 1     /* an idle worker is about to take what waits */

/* Close what waits on one listener, as long as no worker is idle. */
static void refuse_waiting(const struct worker_plan *plan, int listener)
{
        while (idle_set_count(plan->board) == 0 && !door_is_closed()) {
                int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (connection < 0)
                        return;
                close(connection);
                atomic_fetch_add_explicit(&plan->board->refused, 1, memory_order_relaxed);
        }
}

static int refuse(const struct worker_plan *plan)
{
        _cleanup_(freep) struct pollfd *pollers = calloc(plan->listener_count, sizeof(*pollers));

        if (!pollers)
                return WORKER_EXIT_START_FAILED;
        for (size_t i = 0; i < plan->listener_count; i++)
                pollers[i] = (struct pollfd){.fd = plan->listeners[i], .events = POLLIN};
        while (!door_is_closed()) {
                int ready = poll(pollers, plan->listener_count, QUIET_MS);
                if (ready == 0)
                        return WORKER_EXIT_RETIRED;
                if (ready > 0 && idle_set_count(plan->board) > 0)
                        poll(NULL, 0, YIELD_MS);
                for (size_t i = 0; ready > 0 && i < plan->listener_count; i++)
                        if (pollers[i].revents)
                                refuse_waiting(plan, pollers[i].fd);
        }
        return WORKER_EXIT_RETIRED;
}

int refuser_run(const struct worker_plan *plan)
{
        struct worker_failure failure;

        if (worker_setup(plan, &failure) < 0)
                return WORKER_EXIT_START_FAILED;
        /* The door cannot stand in for a set of listeners; poll(2) returns with EINTR, or within QUIET_MS. */
        if (door_install(-1, plan->master_pid, 0) < 0)
                return WORKER_EXIT_ORPHANED;
        return refuse(plan);
}
