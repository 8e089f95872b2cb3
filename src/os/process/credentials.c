#include "os/process/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"

static int change(const struct credentials *credentials)
{
        uid_t uid = credentials->uid, ruid, euid, suid;
        gid_t gid = credentials->gid, rgid, egid, sgid;

        /* Without privileges only our own ids can be set (the configuration is checked for that), and setgroups(2)
         * always fails. */
        if (geteuid() == 0 && setgroups(credentials->group_count, credentials->groups) < 0)
                return -errno;
        if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
                return -errno;
        if (getresgid(&rgid, &egid, &sgid) < 0 || getresuid(&ruid, &euid, &suid) < 0)
                return -errno;
        bool as_asked = ruid == uid && euid == uid && suid == uid && rgid == gid && egid == gid && sgid == gid;
        return as_asked ? 0 : -EPERM;
}

int credentials_drop(const struct credentials *credentials)
{
        int r = credentials->change ? change(credentials) : 0;

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
