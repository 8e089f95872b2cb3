#include "os/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
        return read_ns(CLOCK_MONOTONIC);
}

uint64_t clock_thread_cpu_ns(void)
{
        return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t clock_now_ms(void)
{
        return clock_now_ns() / 1000000U;
}

uint64_t clock_wall_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
