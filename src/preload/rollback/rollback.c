#include "preload/rollback/rollback.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "preload/rollback/loop.h"
#include "preload/rollback/memory.h"
#include "preload/rollback/precondition.h"

/* Everything that rollback remembers, in one mapping of its own. */
struct rollback {
        char stack[LOOP_STACK_BYTES] __attribute__((aligned(16)));
        struct own_memory own[8];
        const struct rollback_options *options;
        uintptr_t program_stack;
        struct loop loop;
};

/* Open a file of /proc under a number that programs do not use. Returns the descriptor or -errno. */
static int open_high(const char *path, int first_fd)
{
        int low = sys_open(path);

        if (low < 0)
                return low;
        long fd = SYS_3(__NR_fcntl, low, F_DUPFD_CLOEXEC, first_fd);
        SYS_1(__NR_close, low);
        return (int)fd;
}

static enum rollback_obstacle open_all(struct rollback *rollback, long *ret_detail)
{
        const struct rollback_options *options = rollback->options;
        struct tracking *tracking = &rollback->loop.checkpoint.tracking;
        struct address_space *space = &rollback->loop.space;

        space->maps_fd = open_high("/proc/self/maps", options->first_fd);
        space->statm_fd = open_high("/proc/self/statm", options->first_fd);
        space->smaps_fd = open_high("/proc/self/smaps", options->first_fd);
        space->is_strict = options->strict;
        tracking->pagemap_fd = open_high("/proc/self/pagemap", options->first_fd);
        tracking->fault_fd = -1;
        *ret_detail = space->maps_fd < 0 ? space->maps_fd : tracking->pagemap_fd;
        if (space->maps_fd < 0 || space->statm_fd < 0 || space->smaps_fd < 0 || tracking->pagemap_fd < 0)
                return ROLLBACK_NO_PROC;
        if (options->way == ROLLBACK_COPYING)
                return ROLLBACK_NO_OBSTACLE;
        *ret_detail = tracking_open(tracking, options->first_fd);
        return *ret_detail < 0 && options->way == ROLLBACK_TRACKING ? ROLLBACK_NO_TRACKING : ROLLBACK_NO_OBSTACLE;
}

static void close_all(struct rollback *rollback)
{
        const int fds[] = {
                rollback->loop.space.maps_fd,
                rollback->loop.space.statm_fd,
                rollback->loop.space.smaps_fd,
                rollback->loop.checkpoint.tracking.pagemap_fd,
                rollback->loop.checkpoint.tracking.fault_fd,
        };

        for (size_t i = 0; i < ELEMENTS(fds); i++)
                if (fds[i] >= 0)
                        SYS_1(__NR_close, fds[i]);
}

static size_t find_own(struct rollback *rollback)
{
        size_t count = regions_own_segments(rollback->own, ELEMENTS(rollback->own) - 1);

        rollback->own[count++] =
                (struct own_memory){.start = (uintptr_t)rollback, .end = page_ceiling((uintptr_t)(rollback + 1))};
        return count;
}

static enum rollback_obstacle look_at_mappings(struct rollback *rollback, struct rollback_finding *ret)
{
        struct mappings *mappings = &rollback->loop.space.current;
        struct regions *regions = &rollback->loop.checkpoint.regions;
        int r = mappings_read_text(rollback->loop.space.maps_fd, mappings);

        if (r == 0)
                r = regions_find(mappings, rollback->own, find_own(rollback), 0, regions);
        ret->detail = r;
        if (r < 0)
                return r == -E2BIG ? ROLLBACK_TOO_MANY_MAPPINGS : ROLLBACK_NO_PROC;
        if (mappings->has_aio)
                return ROLLBACK_AIO;
        ret->bytes = regions_bytes(regions);
        ret->way = rollback->loop.checkpoint.tracking.fault_fd < 0 ? ROLLBACK_COPYING : ROLLBACK_TRACKING;
        if (ret->way == ROLLBACK_COPYING && rollback->options->copying_most > 0 &&
            ret->bytes > rollback->options->copying_most)
                return ROLLBACK_TOO_LARGE;
        return ROLLBACK_NO_OBSTACLE;
}

enum rollback_obstacle rollback_check(const struct rollback_options *options, struct rollback_finding *ret)
{
        enum rollback_obstacle obstacle = precondition_check(options->thread);
        struct rollback *rollback;

        *ret = (struct rollback_finding){.way = options->way};
        if (obstacle != ROLLBACK_NO_OBSTACLE)
                return obstacle;
        rollback = memory_reserve(sizeof(*rollback));
        if (!rollback)
                return ROLLBACK_NO_MEMORY;
        rollback->options = options;
        obstacle = open_all(rollback, &ret->detail);
        if (obstacle == ROLLBACK_NO_OBSTACLE)
                obstacle = look_at_mappings(rollback, ret);
        close_all(rollback);
        memory_release(rollback, sizeof(*rollback));
        return obstacle;
}

int rollback_image(const struct resume *resume, int first_fd)
{
        return image_make(resume->stack, first_fd);
}

/* On our own stack: what is below the program's stack is given up from here on. */
static _Noreturn void take_and_run(struct rollback *rollback)
{
        struct loop *loop = &rollback->loop;
        const struct rollback_options *options = rollback->options;
        long detail = 0;
        enum rollback_obstacle obstacle = open_all(rollback, &detail);

        if (obstacle != ROLLBACK_NO_OBSTACLE)
                loop_give_up(loop, obstacle, detail);
        thread_state_detach(&loop->thread);
        memory_attributes_read(&loop->attributes);
        int r = open_files_take(&loop->files, options->first_fd);
        if (r == 0)
                r = mappings_read_text(loop->space.maps_fd, &loop->space.current);
        if (r == 0)
                r = checkpoint_take(&loop->checkpoint, &loop->space.current, rollback->own, find_own(rollback),
                                    loop->resume->stack, options->image_fd);
        loop->restore.checkpoint = &loop->checkpoint;
        if (r == 0)
                r = address_space_take(&loop->space);
        if (r < 0)
                loop_give_up(loop, r == -E2BIG ? ROLLBACK_TOO_MANY_MAPPINGS : ROLLBACK_NO_MEMORY, r);
        loop_run(loop);
}

static _Noreturn void change_stack(struct rollback *rollback)
{
#if defined(__x86_64__)
        __asm__ volatile("movq %0, %%rsp\n\t"
                         "xorl %%ebp, %%ebp\n\t"
                         "callq *%1"
                         :
                         : "r"(rollback->stack + sizeof(rollback->stack)), "r"(take_and_run), "D"(rollback)
                         : "memory");
        __builtin_unreachable();
#else
        loop_give_up(&rollback->loop, ROLLBACK_MACHINE, 0);
#endif
}

_Noreturn void rollback_run(const struct rollback_options *options, const struct resume *resume)
{
        struct rollback *rollback = memory_reserve(sizeof(*rollback));

        if (!rollback) {
                options->host->unfit(ROLLBACK_NO_MEMORY, 0);
                options->host->leave();
        }
        rollback->options = options;
        rollback->loop.host = options->host;
        rollback->loop.resume = resume;
        rollback->loop.thread = *options->thread;
        rollback->loop.verify = options->verify;
        rollback->loop.clears_handlers = options->clears_handlers;
        change_stack(rollback);
}
