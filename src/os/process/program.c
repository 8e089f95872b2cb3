#include "os/process/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* 0 with the path in *ret if root + directory + separator + name is executable. */
static int try_path(const char *root, const char *directory, size_t length, const char *name, char **ret)
{
        _cleanup_(freep) char *path = NULL;

        if (asprintf(&path, "%s%.*s%s%s", root, (int)length, directory, length > 0 ? "/" : "", name) < 0)
                return -ENOMEM;
        struct stat status;
        if (access(path, X_OK) < 0)
                return -errno;
        if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) /* X_OK means something else there */
                return -EACCES;
        *ret = TAKE_PTR(path);
        return 0;
}

int program_find(const char *root, const char *name, const char *search_path, char **ret)
{
        int failure = -ENOENT;

        if (strchr(name, '/'))
                return try_path(root, "", 0, name, ret);
        for (const char *at = search_path;; at++) {
                size_t length = strcspn(at, ":");
                int r = length > 0 ? try_path(root, at, length, name, ret) : -ENOENT;
                if (r == 0 || r == -ENOMEM)
                        return r;
                if (r == -EACCES)
                        failure = r;
                at += length;
                if (*at == '\0')
                        return failure;
        }
}
