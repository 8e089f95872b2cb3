#include "os/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINKS_MAX 40 /* as the kernel has it */

struct walk {
        int at;              /* the directory reached; owned */
        char left[PATH_MAX]; /* the components that are left */
        unsigned links;
        bool was_led; /* by a link of the user `by` */
        uid_t by;
};

static int enter(struct walk *walk, int directory)
{
        if (directory < 0)
                return -errno;
        fd_closep(&walk->at);
        walk->at = directory;
        return 0;
}

static int begin(struct walk *walk)
{
        return enter(walk, open(walk->left[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* May the link lead us? Only one user's links may, apart from root's. */
static int note_owner(struct walk *walk, uid_t owner)
{
        if (geteuid() != 0 || owner == 0)
                return 0;
        if (walk->was_led && walk->by != owner)
                return -ELOOP;
        walk->was_led = true;
        walk->by = owner;
        return 0;
}

/* Continue with the target of a link, and then with `rest`, which is within walk->left. */
static int follow(struct walk *walk, int link, uid_t owner, const char *rest)
{
        char target[PATH_MAX], left[PATH_MAX];

        int r = ++walk->links > LINKS_MAX ? -ELOOP : note_owner(walk, owner);
        if (r < 0)
                return r;
        ssize_t length = readlinkat(link, "", target, sizeof(target));
        if (length < 0)
                return -errno;
        int needed = snprintf(left, sizeof(left), "%.*s/%s", (int)length, target, rest);
        if (length == sizeof(target) || needed >= (int)sizeof(left))
                return -ENAMETOOLONG;
        memcpy(walk->left, left, (size_t)needed + 1);
        return left[0] == '/' ? begin(walk) : 0;
}

/* Go one component on. 1; 0: none is left; -errno. */
static int step(struct walk *walk)
{
        char component[NAME_MAX + 1];
        const char *start = walk->left + strspn(walk->left, "/");
        size_t length = strcspn(start, "/");
        struct stat status;

        if (length == 0)
                return 0;
        if (length >= sizeof(component))
                return -ENAMETOOLONG;
        memcpy(component, start, length);
        component[length] = '\0';
        _cleanup_(fd_closep) int fd = openat(walk->at, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &status) < 0)
                return -errno;
        if (S_ISLNK(status.st_mode)) {
                int r = follow(walk, fd, status.st_uid, start + length);
                return r < 0 ? r : 1;
        }
        memmove(walk->left, start + length, strlen(start + length) + 1);
        enter(walk, TAKE_FD(fd));
        return 1;
}

/* Is the walk where it was allowed to lead? */
static int check_end(const struct walk *walk)
{
        struct stat status;

        if (fstat(walk->at, &status) < 0)
                return -errno;
        if (!S_ISDIR(status.st_mode))
                return -ENOTDIR;
        return walk->was_led && status.st_uid != walk->by ? -ELOOP : 0;
}

static int open_directory(const char *path, size_t length)
{
        struct walk walk = {.at = -1};

        if (length >= sizeof(walk.left))
                return -ENAMETOOLONG;
        memcpy(walk.left, path, length);
        int r = begin(&walk);
        if (r == 0)
                while ((r = step(&walk)) > 0)
                        ;
        if (r == 0)
                r = check_end(&walk);
        if (r < 0) {
                fd_closep(&walk.at);
                return r;
        }
        return walk.at;
}

int directory_open_parent(const char *path, const char **ret_name)
{
        const char *slash = strrchr(path, '/');

        *ret_name = slash ? slash + 1 : path;
        return open_directory(path, (size_t)(*ret_name - path));
}

int directory_make_parent(const char *path)
{
        const char *slash = strrchr(path, '/'), *name;
        char directory[PATH_MAX];

        if (!slash || slash == path)
                return 0;
        if ((size_t)(slash - path) >= sizeof(directory))
                return -ENAMETOOLONG;
        snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
        _cleanup_(fd_closep) int parent = directory_open_parent(directory, &name);
        if (parent < 0)
                return parent;
        return mkdirat(parent, name, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}
