#include "os/process/resource.h"

#include <assert.h>
#include <errno.h>

#include "base/cleanup.h"
#include "os/kernel_setting.h"

static const int kernel_names[] = {
        [RESOURCE_NOFILE] = RLIMIT_NOFILE, [RESOURCE_AS] = RLIMIT_AS,       [RESOURCE_CORE] = RLIMIT_CORE,
        [RESOURCE_CPU] = RLIMIT_CPU,       [RESOURCE_NPROC] = RLIMIT_NPROC,
};
static_assert(ELEMENTS(kernel_names) == RESOURCE_COUNT, "every resource has its number");

int resource_read(struct resource_limits *ret)
{
        struct resource_limits limits;

        for (int i = 0; i < RESOURCE_COUNT; i++)
                if (getrlimit(kernel_names[i], &limits.of[i]) < 0)
                        return -errno;
        *ret = limits;
        return 0;
}

int resource_set(enum resource resource, const struct rlimit *limit)
{
        return setrlimit(kernel_names[resource], limit) < 0 ? -errno : 0;
}

int resource_restore(const struct resource_limits *limits)
{
        int result = 0;

        for (int i = 0; i < RESOURCE_COUNT; i++) {
                int r = resource_set((enum resource)i, &limits->of[i]);
                if (r < 0 && result == 0)
                        result = r;
        }
        return result;
}

/* Read fs.nr_open: above it the kernel fails with EPERM, as it does without the privilege; this value distinguishes
 * them. */
static uint64_t read_ceiling(void)
{
        uint64_t ceiling;

        return kernel_setting_read("/proc/sys/fs/nr_open", &ceiling) < 0 ? 0 : ceiling;
}

int resource_raise_nofile(uint64_t needed, struct resource_raise *ret)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return -errno;
        *ret = (struct resource_raise){.original = limit, .reached = limit.rlim_cur, .ceiling = read_ceiling()};
        if (needed <= limit.rlim_cur)
                return 0;

        struct rlimit wanted = {.rlim_cur = needed, .rlim_max = MAX_OF(needed, limit.rlim_max)};
        int r = resource_set(RESOURCE_NOFILE, &wanted);
        if (r == -EPERM) {
                if (ret->ceiling > 0 && needed > ret->ceiling)
                        r = -ERANGE;
                wanted = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
                int partly = resource_set(RESOURCE_NOFILE, &wanted);
                if (partly < 0)
                        return partly;
        }
        if (r == 0 || r == -EPERM || r == -ERANGE)
                ret->reached = wanted.rlim_cur;
        return r;
}

int resource_try_nofile(uint64_t needed, struct resource_raise *ret)
{
        struct rlimit before;

        if (getrlimit(RLIMIT_NOFILE, &before) < 0)
                return -errno;
        int r = resource_raise_nofile(needed, ret);
        int restored = resource_set(RESOURCE_NOFILE, &before); /* lowering a limit is always permitted */
        return r < 0 ? r : restored;
}
