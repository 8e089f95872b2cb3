#include "preload/touch/timers.h"

#include <signal.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "lib/sys.h"

#define TIMERS_MAX 16
#define IDS_MAX 4096 /* of timers that a program has made and deleted */

struct timer {
        bool used;
        int id, clock;
        bool has_event;
        struct sigevent event;
        struct itimerspec left;
};

static struct {
        struct timer timers[TIMERS_MAX];
        bool full;
        struct itimerval intervals[ITIMER_PROF + 1];
} state;

static struct timer *free_timer(void)
{
        for (size_t i = 0; i < ELEMENTS(state.timers); i++)
                if (!state.timers[i].used)
                        return &state.timers[i];
        state.full = true;
        return NULL;
}

long timers_create(int clock, const void *event, int *ret_timer)
{
        long r = SYS_3(__NR_timer_create, clock, event, ret_timer);
        struct timer *timer = r == 0 ? free_timer() : NULL;

        if (timer) {
                *timer = (struct timer){.used = true, .id = *ret_timer, .clock = clock, .has_event = event};
                if (event)
                        __builtin_memcpy(&timer->event, event, sizeof(timer->event));
        }
        return r;
}

long timers_delete(int id)
{
        for (size_t i = 0; i < ELEMENTS(state.timers); i++)
                if (state.timers[i].used && state.timers[i].id == id)
                        state.timers[i].used = false;
        return SYS_1(__NR_timer_delete, id);
}

bool timers_stop(void)
{
        const struct itimerspec off = {0};

        for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
                const struct itimerval none = {0};
                SYS_3(__NR_setitimer, which, &none, &state.intervals[which]);
        }
        for (size_t i = 0; i < ELEMENTS(state.timers); i++)
                if (state.timers[i].used)
                        SYS_4(__NR_timer_settime, state.timers[i].id, 0, &off, &state.timers[i].left);
        return !state.full;
}

/* The kernel numbers the timers of a new process from 0 on: make timers until one has the number. */
static bool make_again(const struct timer *timer, int former_tid)
{
        struct sigevent event = timer->event;

        if (timer->has_event && event.sigev_notify == SIGEV_THREAD_ID && event._sigev_un._tid == former_tid)
                event._sigev_un._tid = sys_gettid();
        for (int i = 0; i < IDS_MAX; i++) {
                int id = -1;
                if (SYS_3(__NR_timer_create, timer->clock, timer->has_event ? &event : NULL, &id) != 0)
                        return false;
                if (id == timer->id)
                        return SYS_4(__NR_timer_settime, id, 0, &timer->left, NULL) == 0;
                SYS_1(__NR_timer_delete, id);
                if (id > timer->id)
                        return false;
        }
        return false;
}

/* The one that is next in the order of numbers, or NULL. */
static const struct timer *next_timer(int after)
{
        const struct timer *next = NULL;

        for (size_t i = 0; i < ELEMENTS(state.timers); i++)
                if (state.timers[i].used && state.timers[i].id > after && (!next || state.timers[i].id < next->id))
                        next = &state.timers[i];
        return next;
}

bool timers_go_on(int former_tid)
{
        for (const struct timer *timer = next_timer(-1); timer; timer = next_timer(timer->id))
                if (!make_again(timer, former_tid))
                        return false;
        for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
                if (state.intervals[which].it_value.tv_sec || state.intervals[which].it_value.tv_usec)
                        SYS_3(__NR_setitimer, which, &state.intervals[which], NULL);
        return true;
}
