#include "os/process/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "os/process/program.h"

#define SELF "/proc/self/exe"

static int make_absolute(const char *path, char **ret)
{
        _cleanup_(freep) char *directory = NULL;

        if (path[0] == '/') {
                *ret = strdup(path);
                return *ret ? 0 : -ENOMEM;
        }
        directory = getcwd(NULL, 0);
        if (!directory)
                return -errno;
        if (asprintf(ret, "%s/%s", directory, path) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 0;
}

static bool is_executed(const char *path)
{
        struct stat status, own;

        return stat(path, &status) == 0 && stat(SELF, &own) == 0 && status.st_dev == own.st_dev &&
               status.st_ino == own.st_ino;
}

static int ask_kernel(char **ret)
{
        char path[PATH_MAX];
        ssize_t length = readlink(SELF, path, sizeof(path) - 1);

        if (length < 0)
                return -errno;
        path[length] = '\0';
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
}

int image_find(const char *name, char **ret)
{
        const char *search_path = getenv("PATH");
        _cleanup_(freep) char *found = NULL, *path = NULL;

        int r = program_find("", name, search_path ? search_path : PROGRAM_DEFAULT_PATH, &found);
        if (r == 0)
                r = make_absolute(found, &path);
        if (r == -ENOMEM)
                return r;
        if (!path || !is_executed(path))
                return ask_kernel(ret);
        *ret = TAKE_PTR(path);
        return 0;
}

int image_look(const char *path, struct image_file *ret)
{
        struct stat status;

        if (stat(path, &status) < 0)
                return -errno;
        if (!S_ISREG(status.st_mode) || access(path, X_OK) < 0)
                return -EACCES;
        *ret = (struct image_file){
                .device = status.st_dev, .inode = status.st_ino, .size = status.st_size, .modified = status.st_mtim};
        return 0;
}

/* May others write it? A sticky directory lets them add files only. */
static int check_writers(const struct stat *status, const char *what, struct text *why)
{
        const mode_t sticky_directory = S_IFDIR | S_ISVTX;
        struct stat own;
        bool group = status->st_mode & S_IWGRP && status->st_gid != 0 && status->st_gid != getegid();
        int r = 0;

        if (status->st_uid != 0 && status->st_uid != geteuid() &&
            (stat(SELF, &own) < 0 || own.st_uid != status->st_uid))
                r = text_appendf(why, "%s belongs to uid %u, who could decide what we execute", what, status->st_uid);
        else if ((status->st_mode & S_IWOTH || group) && (status->st_mode & sticky_directory) != sticky_directory)
                r = text_appendf(why, "%s may be written by %s (mode %04o), who could decide what we execute", what,
                                 status->st_mode & S_IWOTH ? "everybody" : "its group", status->st_mode & 07777);
        else
                return 0;
        return r < 0 ? r : -EPERM;
}

int image_check_writers(const char *path, struct text *why)
{
        const char *slash = strrchr(path, '/');
        _cleanup_(freep) char *directory = strndup(path, slash ? MAX_OF((size_t)(slash - path), (size_t)1) : 0);
        struct stat status;

        if (!directory)
                return -ENOMEM;
        if (stat(path, &status) < 0)
                return -errno;
        int r = check_writers(&status, "it", why);
        if (r < 0)
                return r;
        if (stat(directory[0] != '\0' ? directory : ".", &status) < 0)
                return -errno;
        return check_writers(&status, "its directory", why);
}

bool image_is_same(const struct image_file *a, const struct image_file *b)
{
        return a->device == b->device && a->inode == b->inode && a->size == b->size &&
               a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec;
}

/* Every descriptor, whether or not one fails. 0 or the first -errno. */
static int set_flags(const int *descriptors, size_t count, int flags)
{
        int r = 0;

        for (size_t i = 0; i < count; i++)
                if (fcntl(descriptors[i], F_SETFD, flags) < 0 && r == 0)
                        r = -errno;
        return r;
}

int image_execute(const char *path, char *const *arguments, const int *descriptors, size_t count)
{
        int r = set_flags(descriptors, count,
                          0); /* a program that misses one could not take over, nor could we again */

        if (r == 0) {
                execve(path, arguments, environ);
                r = -errno;
        }
        set_flags(descriptors, count, FD_CLOEXEC);
        return r;
}

int image_open(void)
{
        int fd = open(SELF, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int image_execute_open(int fd, char *const *arguments)
{
        ioctl(fd, FIOCLEX); /* the program itself has no use for it; not by fcntl(2), which may be what has failed */
        execveat(fd, "", arguments, environ, AT_EMPTY_PATH);
        return -errno;
}

int image_execute_again(char *const *arguments)
{
        execve(SELF, arguments, environ);
        return -errno;
}
