#include "worker/orders.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "logic/protocol/worker_plan.h"
#include "os/clock.h"

/* What the signal handlers use. */
static struct {
        struct slot *slot;
        int (*interrupt)(int signal_number);
        bool in_process;
} running;

static bool is_about_present_request(const struct prefork_slot *words)
{
        return atomic_load(&words->order_request) == atomic_load(&words->requests_begun);
}

bool orders_end_request(void)
{
        const struct prefork_slot *words = running.slot->words;

        return atomic_load(&words->order) != PREFORK_ORDER_NONE && is_about_present_request(words);
}

/* The request is served by this process, which is the only thing that can be ended. It is counted as one whose handler
 * was killed. */
static void end_with_request(void)
{
        const struct prefork_slot *words = running.slot->words;

        if (atomic_load(&words->requests_ended) == atomic_load(&words->requests_begun)) /* it has just ended */
                return;
        slot_done(running.slot, clock_now_ns(), SIGKILL, 0);
        slot_ending(running.slot);
        _exit(WORKER_EXIT_ORDERED);
}

void orders_look(void)
{
        if (!running.slot) /* the worker has no requests */
                return;
        const struct prefork_slot *words = running.slot->words;
        uint32_t order = atomic_load(&words->order);
        bool is_present = is_about_present_request(words);

        if (order == PREFORK_ORDER_TERM && is_present)
                running.interrupt(SIGTERM);
        if (order == PREFORK_ORDER_KILL && is_present)
                running.interrupt(SIGKILL);
        if (order == PREFORK_ORDER_KILL && is_present && running.in_process)
                end_with_request();
        /* A handler that has become another user is not ours to kill. As long as it is our child, the master can. */
        if (order == PREFORK_ORDER_DIE && running.interrupt(SIGKILL) == 0)
                _exit(WORKER_EXIT_ORDERED);
}

static void on_order(int signal_number)
{
        int saved_errno = errno;

        (void)signal_number;
        orders_look();
        errno = saved_errno;
}

/* The master has died, and the time for requests in flight (shutdown_timeout) is over. An alarm that somebody else sent
 * means nothing. */
static void on_orphan_alarm(int signal_number)
{
        (void)signal_number;
        if (!door_is_orphaned())
                return;
        if (running.interrupt)
                running.interrupt(SIGKILL);
        _exit(WORKER_EXIT_ORPHANED);
}

/* Another process than the master asks this worker to end: retire. */
static void on_end(int signal_number)
{
        (void)signal_number;
        kill(getpid(), DOOR_SIGNAL);
}

/* Meant for the master, whose name a worker shares: `pkill -USR2 preforkd` must not end requests. */
static void on_nothing(int signal_number)
{
        (void)signal_number;
}

static const struct {
        int number;
        void (*handler)(int);
} signals[] = {
        {SIGUSR1, on_order},   {SIGALRM, on_orphan_alarm}, {SIGTERM, on_end},     {SIGHUP, on_end},
        {SIGINT, on_end},      {SIGQUIT, on_end},          {SIGUSR2, on_nothing}, {SIGTTIN, on_nothing},
        {SIGTTOU, on_nothing}, {SIGPIPE, on_nothing},      {SIGXFSZ, on_nothing},
};

const int orders_caught[] = {SIGUSR1, SIGALRM, SIGTERM, SIGHUP,  SIGINT,  SIGQUIT,
                             SIGUSR2, SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ, DOOR_SIGNAL};
const size_t orders_caught_count = ELEMENTS(orders_caught);
static_assert(ELEMENTS(orders_caught) == ELEMENTS(signals) + 1, "every signal that has a handler, here or in lib/door");

int orders_install(struct slot *slot, const struct runtime_ops *ops)
{
        sigset_t handled;

        running.slot = slot;
        running.interrupt = ops ? ops->interrupt : NULL;
        running.in_process = ops && ops->in_process;
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                const struct sigaction action = {.sa_handler = signals[i].handler, .sa_flags = SA_RESTART};
                if (sigaction(signals[i].number, &action, NULL) < 0)
                        return -errno;
        }
        sigemptyset(&handled);
        for (size_t i = 0; i < ELEMENTS(signals); i++)
                sigaddset(&handled, signals[i].number);
        return sigprocmask(SIG_UNBLOCK, &handled, NULL) < 0 ? -errno : 0;
}
