#include "os/process/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

bool credentials_has_groups(const gid_t *groups, size_t count)
{
        _cleanup_(freep) gid_t *present = calloc(count + 1, sizeof(*present));

        if (!present || getgroups(0, NULL) != (int)count || getgroups((int)count, present) != (int)count)
                return false;
        for (size_t i = 0; i < count; i++) {
                size_t j = 0;
                while (j < count && present[j] != groups[i])
                        j++;
                if (j == count)
                        return false;
        }
        return true;
}

static int change(const struct credentials *credentials)
{
        uid_t uid = credentials->uid, ruid, euid, suid;
        gid_t gid = credentials->gid, rgid, egid, sgid;

        /* Without privileges only our own ids can be set (the configuration is checked for that), and setgroups(2)
         * always fails. A user namespace may deny it even to root; then they must be right already. */
        if (geteuid() == 0 && setgroups(credentials->group_count, credentials->groups) < 0 &&
            !credentials_has_groups(credentials->groups, credentials->group_count))
                return -errno;
        if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
                return -errno;
        if (getresgid(&rgid, &egid, &sgid) < 0 || getresuid(&ruid, &euid, &suid) < 0)
                return -errno;
        bool as_asked = ruid == uid && euid == uid && suid == uid && rgid == gid && egid == gid && sgid == gid;
        return as_asked ? 0 : -EPERM;
}

/* What a program would keep or get over execve(2) because preforkd was given it: by AmbientCapabilities=, for one. */
static int drop_inherited_capabilities(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL) /* Linux before 4.3 */
                return -errno;
        if (syscall(SYS_capget, &header, data) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTS(data); i++)
                data[i].inheritable = 0;
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int credentials_drop(const struct credentials *credentials)
{
        int r = credentials->change ? change(credentials) : 0;

        if (r == 0)
                r = drop_inherited_capabilities();
        if (r == 0 && credentials->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                r = -errno;
        if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                r = -errno;
        return r;
}

int credentials_set_oom_score_adj(int value)
{
        char text[16];
        _cleanup_(fd_closep) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        snprintf(text, sizeof(text), "%d", value);
        return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}
