#include "preload/touch/guard.h"

#include "preload/touch/stand_in.h"

static const struct touch_host *guarded;
static bool passed_on;

void guard_begin(const struct touch_host *host)
{
        guarded = host;
}

bool guard_has(int fd)
{
        return fd >= 0 && (fd == stand_in_far() || guarded->has_fd(fd));
}

bool guard_shares_temporary_files(void)
{
        return guarded->shares_temporary_files;
}

unsigned guard_next(unsigned first)
{
        unsigned next = guarded->next_fd(first);
        int far = stand_in_far();

        return far >= 0 && (unsigned)far >= first && (unsigned)far < next ? (unsigned)far : next;
}

void guard_make_way(int fd)
{
        if (fd < 0)
                return;
        stand_in_make_way(fd);
        guarded->make_way(fd);
}

void guard_pass_on(void)
{
        guarded->pass_on(true);
        passed_on = true;
}

void guard_take_back(void)
{
        if (passed_on)
                guarded->pass_on(false);
        passed_on = false;
}
