#include "lib/orders.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>

#include "base/cleanup.h"
#include "lib/door.h"
#include "lib/sys.h"

#ifdef PREFORK_RAW /* a worker that has executed its handler has one thread, and no storage for more */
#define OF_THREAD
#else
#define OF_THREAD _Thread_local
#endif

/* What the signal handlers use. */
static struct {
        struct slot *first; /* of the worker: an order to end it is there; NULL: it has no requests */
        struct slot *const *slots;
        const _Atomic pid_t *tids;
        size_t count; /* threads; 0: it has none */
        struct orders_target target;
        void (*on_alarm)(void);
} running;

/* The slot in which this thread reports; NULL: it serves nothing. */
static OF_THREAD struct slot *mine;

/* The connection of this thread's request that lingers; -1: none does. */
static OF_THREAD volatile int lingering = -1;

static bool is_about_present_request(const struct prefork_slot *words)
{
        return atomic_load(&words->order_request) == atomic_load(&words->requests_begun);
}

bool orders_end_request(void)
{
        const struct prefork_slot *words = mine->words;

        return atomic_load(&words->order) != PREFORK_ORDER_NONE && is_about_present_request(words);
}

/* The request is served by this process, which is the only thing that can be ended. It is counted as one whose handler
 * was killed. The slot goes on saying that the worker is busy with it: else the master, if it looks before it is told
 * of the end, takes the request for over and the worker for one that serves on, and its end for a death. */
static void end_with_request(void)
{
        const struct prefork_slot *words = mine->words;

        if (atomic_load(&words->requests_ended) == atomic_load(&words->requests_begun)) /* it has just ended */
                return;
        slot_done(mine, sys_now_ns(), SIGKILL, 0);
        sys_exit(PREFORK_EXIT_ORDERED);
}

void orders_interrupt(int signal_number)
{
        if (lingering >= 0) { /* nothing serves it any more */
                sys_shutdown(lingering, SHUT_RDWR);
                return;
        }
        running.target.interrupt(signal_number);
        if (signal_number == SIGKILL && running.target.in_process)
                end_with_request();
}

void orders_linger(int connection)
{
        lingering = connection;
        if (connection >= 0)
                orders_look(); /* one may have come before */
}

void orders_set_alarm(void (*on_alarm)(void))
{
        running.on_alarm = on_alarm;
}

void orders_look(void)
{
        if (!running.first) /* the worker has no requests */
                return;
        uint32_t order = mine ? atomic_load(&mine->words->order) : PREFORK_ORDER_NONE;
        bool is_present = mine && is_about_present_request(mine->words);

        if (order == PREFORK_ORDER_TERM && is_present)
                orders_interrupt(SIGTERM);
        if (order == PREFORK_ORDER_KILL && is_present)
                orders_interrupt(SIGKILL);
        /* A handler that has become another user is not ours to kill. As long as it is our child, the master can. */
        if (atomic_load(&running.first->words->order) == PREFORK_ORDER_DIE && running.target.interrupt(SIGKILL) == 0)
                sys_exit(PREFORK_EXIT_ORDERED);
}

/* Send the signal on to the other threads that have an order. */
static void pass_on(void)
{
        for (size_t i = 0; i < running.count; i++) {
                const struct prefork_slot *words = running.slots[i]->words;
                pid_t tid = atomic_load(&running.tids[i]);
                if (running.slots[i] != mine && tid > 0 && atomic_load(&words->order) != PREFORK_ORDER_NONE &&
                    is_about_present_request(words))
                        sys_signal_thread(tid, SIGUSR1);
        }
}

static void on_order(int signal_number, siginfo_t *info, void *context)
{
        int saved_errno = sys_keep_errno();

        (void)signal_number;
        (void)context;
        orders_look();
        if (info->si_code != SI_TKILL) /* one that was sent on is for this thread alone */
                pass_on();
        sys_restore_errno(saved_errno);
}

/* The master has died, and the time for requests in flight (shutdown_timeout) is over; that alarm is the kernel's own.
 * Others are of timers, or sent. */
static void on_alarm(int signal_number, siginfo_t *info, void *context)
{
        int saved_errno = sys_keep_errno();

        (void)signal_number;
        (void)context;
        if (!door_is_orphaned() || info->si_code != SI_KERNEL) {
                if (running.on_alarm)
                        running.on_alarm();
                sys_restore_errno(saved_errno);
                return;
        }
        if (running.target.interrupt)
                running.target.interrupt(SIGKILL);
        sys_exit(PREFORK_EXIT_ORPHANED);
}

/* Another process than the master asks this worker to end: retire. */
static void on_end(int signal_number, siginfo_t *info, void *context)
{
        (void)signal_number;
        (void)info;
        (void)context;
        sys_kill(sys_getpid(), DOOR_SIGNAL);
}

/* Meant for the master, whose name a worker shares: `pkill -USR2 preforkd` must not end requests. */
static void on_nothing(int signal_number, siginfo_t *info, void *context)
{
        (void)signal_number;
        (void)info;
        (void)context;
}

static const struct {
        int number;
        void (*handler)(int signal_number, siginfo_t *info, void *context);
} signals[] = {
        {SIGUSR1, on_order},   {SIGALRM, on_alarm},   {SIGTERM, on_end},     {SIGHUP, on_end},
        {SIGINT, on_end},      {SIGQUIT, on_end},     {SIGUSR2, on_nothing}, {SIGTTIN, on_nothing},
        {SIGTTOU, on_nothing}, {SIGPIPE, on_nothing}, {SIGXFSZ, on_nothing},
};

const int orders_caught[] = {SIGUSR1, SIGALRM, SIGTERM, SIGHUP,  SIGINT,  SIGQUIT,
                             SIGUSR2, SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ, DOOR_SIGNAL};
const size_t orders_caught_count = ELEMENTS(orders_caught);
static_assert(ELEMENTS(orders_caught) == ELEMENTS(signals) + 1, "every signal that has a handler, here or in lib/door");

int orders_install(struct slot *slot, const struct orders_target *target)
{
        running.first = mine = slot;
        running.target = target ? *target : (struct orders_target){0};
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                int r = sys_handle_orders(signals[i].number, signals[i].handler);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTS(signals); i++) {
                int r = sys_block_signal(signals[i].number, false);
                if (r < 0)
                        return r;
        }
        return 0;
}

void orders_set_threads(struct slot *const *slots, const _Atomic pid_t *tids, size_t count)
{
        mine = NULL;
        running.slots = slots;
        running.tids = tids;
        running.count = count;
}

void orders_enter(struct slot *slot)
{
        mine = slot;
}
