#include "os/log/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define MODE (S_IRUSR | S_IWUSR | S_IRGRP)

/* Explain, and return `error`; -ENOMEM if there is no memory for the words. */
static int explain(struct text *why, int error, const char *what)
{
        int r = text_append(why, what);

        return r < 0 ? r : error;
}

/* 0 if it may be written; -errno with an explanation. */
static int check_kind(const struct stat *status, struct text *why)
{
        if (S_ISLNK(status->st_mode))
                return explain(why, -ELOOP, "it is a symbolic link");
        if (S_ISDIR(status->st_mode))
                return explain(why, -EISDIR, "it is a directory");
        if (!S_ISREG(status->st_mode))
                return explain(why, -EINVAL, "it is not a regular file");
        if (status->st_nlink == 1)
                return 0;
        int r = text_appendf(why, "it has %llu names (hard links)", (unsigned long long)status->st_nlink);
        return r < 0 ? r : -EMLINK;
}

int log_file_open(const char *path, int *ret_fd, struct text *why)
{
        struct stat status = {0};

        /* O_NONBLOCK for what should not be there: a FIFO would wait for a reader. */
        mode_t before = umask(S_IWGRP | S_IRWXO);
        _cleanup_(fd_closep) int fd =
                open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, MODE);
        int r = fd < 0 ? -errno : 0;
        umask(before);
        if (r == 0 && fstat(fd, &status) < 0)
                r = -errno;
        if (r < 0) {
                /* ENXIO of a FIFO or a socket and ELOOP of a link say less than what is there. */
                int kind = lstat(path, &status) == 0 ? check_kind(&status, why) : 0;
                return kind < 0 ? kind : explain(why, r, strerror(-r));
        }
        r = check_kind(&status, why);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

/* 0 if the answer of access(2) is yes, or the kernel cannot be asked (an old filter of system calls). */
static int may_write(const char *path, int mode)
{
        if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0 || errno == EPERM || errno == ENOSYS)
                return 0;
        return -errno;
}

/* May we write in the directory in which the file would be? */
static int try_directory(const char *path, struct text *why)
{
        const char *slash = strrchr(path, '/');
        _cleanup_(freep) char *directory = strndup(path, slash > path ? (size_t)(slash - path) : 1);

        if (!directory)
                return -ENOMEM;
        int denied = may_write(directory, W_OK | X_OK);
        if (denied == 0)
                return 0;
        int r = text_appendf(why, "it cannot be made in the directory \"%s\": %s", directory, strerror(-denied));
        return r < 0 ? r : denied;
}

int log_file_try(const char *path, struct text *why)
{
        struct stat status;

        if (lstat(path, &status) < 0)
                return errno == ENOENT ? try_directory(path, why) : explain(why, -errno, strerror(errno));
        int r = check_kind(&status, why);
        int denied = r == 0 ? may_write(path, W_OK) : 0;
        return denied < 0 ? explain(why, denied, strerror(-denied)) : r;
}
