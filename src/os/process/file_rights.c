#include "os/process/file_rights.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

const char *file_rights_of(int fd, const struct file_user *user)
{
        uid_t uid = user->change ? user->uid : geteuid();
        gid_t gid = user->change ? user->gid : getegid();
        struct statvfs mount;
        struct stat status;
        char link[64];

        if (fstat(fd, &status) < 0 || (fstatvfs(fd, &mount) == 0 && mount.f_flag & ST_NOSUID))
                return NULL;
        if ((status.st_mode & S_ISUID) && status.st_uid != uid)
                return "it is setuid";
        if ((status.st_mode & S_ISGID) && (status.st_mode & S_IXGRP) && status.st_gid != gid)
                return "it is setgid";
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        return uid != 0 && getxattr(link, "security.capability", NULL, 0) > 0 ? "it has capabilities" : NULL;
}
