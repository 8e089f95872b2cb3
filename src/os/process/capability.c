#include "os/process/capability.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

static_assert(ELEMENTS(((struct capability_set *)NULL)->effective) == _LINUX_CAPABILITY_U32S_3,
              "as many words as the kernel's sets");

int capability_drop_all(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL) /* Linux before 4.3 */
                return -errno;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

void capability_put_aside(struct capability_set *ret)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        *ret = (struct capability_set){0};
        if (syscall(SYS_capget, &header, data) < 0)
                return;
        for (size_t i = 0; i < ELEMENTS(data); i++) {
                ret->effective[i] = data[i].effective;
                data[i].effective = 0;
        }
        ret->changed = syscall(SYS_capset, &header, data) == 0;
}

void capability_take_back(const struct capability_set *set)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
        int saved_errno = errno;

        if (set->changed && syscall(SYS_capget, &header, data) == 0) {
                for (size_t i = 0; i < ELEMENTS(data); i++)
                        data[i].effective = set->effective[i];
                (void)!syscall(SYS_capset, &header, data);
        }
        errno = saved_errno;
}

bool capability_is_effective(int capability)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &header, data) < 0)
                return true;
        return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}
