#include "lib/idle_watch.h"

#include <signal.h>

#include "base/cleanup.h"
#include "lib/orders.h"
#include "lib/sys.h"
#include "lib/tcp_counts.h"

#ifdef PREFORK_RAW /* as in lib/orders */
#define OF_THREAD
#else
#define OF_THREAD _Thread_local
#endif

/* The timer's own signal does not interrupt reads and writes. An order's does, when the thread is back in them. */
#define NUDGE_NS 1000000

enum stage { WATCHING, TERMINATED, KILLED };

static OF_THREAD struct {
        bool has_timer, has_nudge;
        int timer, nudge;
        uint64_t timeout_ns, kill_ns;
        volatile int connection; /* of the present request; -1: nobody is watched */
        uint64_t active_ns;      /* when something has gone last, as far as is known */
        uint64_t bytes;          /* how many then */
        volatile sig_atomic_t stage;
} watch = {.connection = -1};

int idle_watch_open(uint64_t timeout_ms, uint64_t kill_ms, bool in_process)
{
        watch.timeout_ns = timeout_ms * 1000000;
        watch.kill_ns = kill_ms * 1000000;
        if (timeout_ms == 0)
                return 0;
        int r = sys_timer_create(SIGALRM, &watch.timer);
        if (r == 0 && in_process)
                r = sys_timer_create(SIGUSR1, &watch.nudge);
        watch.has_timer = r == 0;
        watch.has_nudge = r == 0 && in_process;
        return r;
}

void idle_watch_begin(int connection)
{
        struct tcp_counts counts;

        if (!watch.has_timer || !tcp_counts_read(connection, &counts))
                return;
        watch.active_ns = sys_now_ns();
        watch.bytes = counts.bytes_acked + counts.bytes_received;
        watch.stage = WATCHING;
        watch.connection = connection;
        sys_timer_set(watch.timer, watch.timeout_ns);
}

bool idle_watch_end(void)
{
        bool was_idle = watch.connection >= 0 && watch.stage != WATCHING;

        watch.connection = -1;
        if (was_idle && watch.has_nudge)
                sys_timer_set(watch.nudge, 0);
        return was_idle;
}

/* For how long nothing has gone. Bytes that are sent again and again have not arrived: what counts is what the other
 * side has acknowledged, and the time of that is not known better than that of the last data, or of this look. */
static uint64_t idle_ns(uint64_t now_ns)
{
        struct tcp_counts counts;

        if (!tcp_counts_read(watch.connection, &counts))
                return 0;
        uint64_t bytes = counts.bytes_acked + counts.bytes_received;
        uint64_t quiet_ns =
                (uint64_t)MIN_OF(counts.info.tcpi_last_data_sent, counts.info.tcpi_last_data_recv) * 1000000;
        if (bytes != watch.bytes) {
                watch.bytes = bytes;
                watch.active_ns = MAX_OF(watch.active_ns, now_ns - MIN_OF(quiet_ns, now_ns));
        }
        return now_ns - watch.active_ns;
}

static void look_at_idle(uint64_t now_ns)
{
        uint64_t idle = idle_ns(now_ns);

        if (idle < watch.timeout_ns) {
                sys_timer_set(watch.timer, watch.timeout_ns - idle);
                return;
        }
        watch.stage = TERMINATED;
        watch.active_ns = now_ns;
        sys_timer_set(watch.timer, MAX_OF(watch.kill_ns, UINT64_C(1)));
        orders_interrupt(SIGTERM);
        if (watch.has_nudge)
                sys_timer_set(watch.nudge, NUDGE_NS);
}

void idle_watch_look(void)
{
        uint64_t now_ns = sys_now_ns();

        if (watch.connection < 0)
                return;
        if (watch.stage == WATCHING)
                look_at_idle(now_ns);
        else if (watch.stage == TERMINATED && now_ns - watch.active_ns >= watch.kill_ns) {
                watch.stage = KILLED;
                orders_interrupt(SIGKILL);
        }
}
