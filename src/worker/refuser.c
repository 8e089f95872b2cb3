#include "worker/refuser.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "lib/connection_log.h"
#include "lib/door.h"
#include "lib/idle_set.h"
#include "lib/lingering.h"
#include "os/net/listener.h"
#include "os/scoreboard_memory.h"
#include "lib/orders.h"
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

/* The scoreboards of the pool: the refuser counts in the first, and looks at all, because workers that have not been
 * replaced yet report in others. */
struct view {
        struct prefork_scoreboard **boards;
        size_t count;
};

static void view_clear(struct view *view)
{
        free(view->boards);
}

static int view_open(struct view *view, const struct worker_plan *plan, struct prefork_scoreboard *own)
{
        view->boards = calloc(plan->board_count, sizeof(struct prefork_scoreboard *));
        if (!view->boards)
                return -ENOMEM;
        view->boards[view->count++] = own;
        for (size_t i = 1; i < plan->board_count; i++) {
                int r = scoreboard_memory_map(plan->board_fds[i], &view->boards[i]);
                if (r < 0)
                        return r;
                view->count++;
        }
        return 0;
}

static uint64_t count_taken_in(const struct prefork_scoreboard *board)
{
        uint32_t limit = MIN_OF(atomic_load(&board->slot_limit), (uint32_t)PREFORK_SCOREBOARD_SLOTS);
        uint64_t sum = 0;

        for (uint32_t i = 0; i < limit; i++) {
                const struct prefork_slot *slot = &board->slots[i];
                sum += atomic_load(&slot->requests_begun) + atomic_load(&slot->refused) +
                       atomic_load(&slot->refused_access) + atomic_load(&slot->refused_proxy) +
                       atomic_load(&slot->refused_wait) + atomic_load(&slot->refused_banner);
        }
        return sum;
}

/* The number of connections that workers have accepted, to serve or to refuse them. It decreases when a slot is
 * reused. */
static uint64_t count_taken(const struct view *view)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < view->count; i++)
                sum += count_taken_in(view->boards[i]);
        return sum;
}

static bool nobody_is_idle(const struct view *view)
{
        for (size_t i = 0; i < view->count; i++)
                if (idle_set_count(view->boards[i]) > 0)
                        return false;
        return true;
}

/* How many of the connections that wait now still wait PATIENCE_MS later. A queue is first-in-first-out, so all
 * connections that workers accept in that time are among those that wait now. */
static uint64_t count_in_vain(const struct worker_plan *plan, const struct view *view)
{
        uint64_t before = count_taken(view), waiting = count_waiting(plan);

        poll(NULL, 0, PATIENCE_MS);
        uint64_t after = count_taken(view);
        return after >= before && after - before < waiting ? waiting - (after - before) : 0;
}

/* The refuser at work. */
struct refuser {
        const struct worker_plan *plan;
        const struct view *view;
        struct lingering_text text; /* what those get that are refused */
        struct lingering lingering;
        struct connection_log log;
        struct pollfd *pollers; /* the listeners, and behind them room for those that linger */
};

/* Refuse up to `most` connections that wait on one listener, as long as no worker is idle. Returns `most` minus those
 * that it has refused. */
static uint64_t refuse_waiting(struct refuser *refuser, int listener, uint64_t most)
{
        for (; most > 0 && nobody_is_idle(refuser->view) && !door_is_closed(); most--) {
                struct client client = {.peer.length = sizeof(client.peer.un)};
                int connection = accept4(listener, &client.peer.any, &client.peer.length, SOCK_CLOEXEC);
                if (connection < 0)
                        break;
                /* Before the client knows: who has seen it refused finds it counted. */
                atomic_fetch_add_explicit(&refuser->view->boards[0]->refused, 1, memory_order_relaxed);
                connection_log_refused(&refuser->log, refuser->plan->wake_fd, &client, connection, CONNECTION_FULL);
                lingering_refuse(&refuser->lingering, connection, &refuser->text);
        }
        return most;
}

/* Wait for connections, or for those that linger. True: some wait. */
static bool await(struct refuser *refuser)
{
        size_t count = refuser->plan->listener_count;
        bool waits = false;

        for (size_t i = 0; i < count; i++)
                refuser->pollers[i] = (struct pollfd){.fd = refuser->plan->listeners[i], .events = POLLIN};
        size_t lingering = lingering_fill(&refuser->lingering, refuser->pollers + count);
        poll(refuser->pollers, count + lingering, lingering_timeout_ms(&refuser->lingering));
        lingering_look(&refuser->lingering);
        for (size_t i = 0; i < count; i++) /* the door makes them readable */
                waits |= refuser->pollers[i].revents != 0;
        return waits;
}

static void refuse(struct refuser *refuser)
{
        const struct worker_plan *plan = refuser->plan;

        while (!door_is_closed()) {
                uint64_t in_vain = await(refuser) ? count_in_vain(plan, refuser->view) : 0;
                for (size_t i = 0; i < plan->listener_count; i++)
                        in_vain = refuse_waiting(refuser, plan->listeners[i], in_vain);
        }
}

/* It is often retired at once, when the first worker is idle again. */
static void let_go(struct lingering *lingering)
{
        struct pollfd pollers[LINGERING_MAX];

        while (lingering->count > 0 && !door_is_orphaned()) {
                size_t count = lingering_fill(lingering, pollers);
                poll(pollers, count, lingering_timeout_ms(lingering));
                lingering_look(lingering);
        }
}

int refuser_run(const struct worker_plan *plan, struct prefork_scoreboard *board)
{
        _cleanup_(view_clear) struct view view = {0};
        struct worker_failure failure;

        if (view_open(&view, plan, board) < 0) /* before the descriptors are closed */
                return PREFORK_EXIT_START_FAILED;
        if (worker_setup(plan, NULL, &failure) < 0)
                return PREFORK_EXIT_START_FAILED;
        if (door_install(plan->listeners, plan->listener_count, plan->master_pid, 0) < 0)
                return PREFORK_EXIT_ORPHANED;
        if (orders_install(NULL, NULL) < 0)
                return PREFORK_EXIT_START_FAILED;
        const struct message *response = &plan->pool->full_response;
        struct refuser refuser = {.plan = plan,
                                  .view = &view,
                                  .text = {.bytes = response->bytes, .length = response->length},
                                  .pollers = calloc(plan->listener_count + LINGERING_MAX, sizeof(struct pollfd))};
        if (!refuser.pollers)
                return PREFORK_EXIT_START_FAILED;
        connection_log_open(&refuser.log, (enum connection_log_mode)plan->pool->connection_log, board, getpid());
        refuse(&refuser);
        let_go(&refuser.lingering);
        free(refuser.pollers);
        return PREFORK_EXIT_RETIRED;
}
