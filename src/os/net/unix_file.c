#include "os/net/unix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/directory.h"
#include "os/net/sock_diag.h"
#include "os/net/unix_address.h"

/* Long enough for "/proc/self/fd/2147483647". */
#define FD_PATH_MAX 32

/* The path by which system calls without a descriptor reach an open file. */
static void format_fd_path(int fd, char *path)
{
        snprintf(path, FD_PATH_MAX, "/proc/self/fd/%d", fd);
}

/* Open the socket file `name` without an effect on it. A descriptor; -ENOTSOCK: another file; -errno. */
static int open_socket_file(int directory, const char *name, struct stat *ret_status)
{
        _cleanup_(fd_closep) int file = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

        if (file < 0 || fstat(file, ret_status) < 0)
                return -errno;
        return S_ISSOCK(ret_status->st_mode) ? TAKE_FD(file) : -ENOTSOCK;
}

static bool is_same(const struct unix_file *file, const struct stat *status)
{
        return file->device == status->st_dev && file->inode == status->st_ino;
}

/* Remove `name` if it is that file. Whoever may write to the directory can still exchange it just before it is removed;
 * but that file they could have removed themselves. */
static int remove_if_same(int directory, const char *name, const struct unix_file *file)
{
        struct stat status;

        if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!is_same(file, &status))
                return -EADDRINUSE;
        return unlinkat(directory, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Does a process listen at an open socket file? Without /proc the path has to do. */
static int check_unheard(int file, const struct address *address)
{
        struct address by_fd = {
                .un = {.sun_family = AF_UNIX}, .length = sizeof(by_fd.un), .datagram = address->datagram};

        format_fd_path(file, by_fd.un.sun_path);
        return unix_address_check_unheard(access(by_fd.un.sun_path, F_OK) == 0 ? &by_fd : address);
}

/* Check that the socket at `name` is left over, if there is one, and `remove` it. 0 or -errno. The file stays open, so
 * that its inode cannot become another file's. */
static int check_stale(int directory, const char *name, const struct address *address, bool remove)
{
        struct stat status = {0};
        _cleanup_(fd_closep) int fd = open_socket_file(directory, name, &status);

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        const struct unix_file stale = {.device = status.st_dev, .inode = status.st_ino};
        int r = check_unheard(fd, address);
        return r == 0 && remove ? remove_if_same(directory, name, &stale) : r;
}

int unix_file_check_stale(const struct address *address)
{
        const char *name;
        _cleanup_(fd_closep) int directory = directory_open_parent(address->un.sun_path, &name);

        if (directory < 0)
                return directory == -ENOENT ? 0 : directory;
        return check_stale(directory, name, address, false);
}

/* True if the socket `fd` was bound to that file. Only inodes are compared: on stacked file systems sock_diag(7) and
 * stat(2) report different devices. Where sock_diag(7) is refused, `otherwise` is the answer. */
static bool is_bound_to(int fd, const struct stat *status, bool otherwise)
{
        struct sock_diag_unix diag;

        return sock_diag_unix(fd, &diag) == 0 ? diag.path_inode == (uint32_t)status->st_ino : otherwise;
}

/* Find the file that bind(2) has just made. Whatever else is there was not made by us, or has two names. */
static int find_bound(int fd, int directory, const char *name, struct unix_file *ret)
{
        struct stat status;

        if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(status.st_mode) ||
            !is_bound_to(fd, &status, status.st_uid == geteuid() && status.st_nlink == 1))
                return -ESTALE;
        *ret = (struct unix_file){.device = status.st_dev, .inode = status.st_ino};
        return 0;
}

/* The directory was exchanged just before bind(2), which has made its file in another. */
static void remove_stray(int fd, const char *path)
{
        char directory_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
        const char *name = strrchr(path, '/') + 1;
        struct unix_file stray;

        snprintf(directory_path, sizeof(directory_path), "%.*s", (int)(name - path), path);
        _cleanup_(fd_closep) int directory = open(directory_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0 && find_bound(fd, directory, name, &stray) == 0)
                remove_if_same(directory, name, &stray);
}

/* bind(2) that makes the file with the mode of the socket; the kernel takes the umask away from it. */
static int bind_with_mode(int fd, const struct address *address, mode_t mode)
{
        mode_t mask = umask(0);

        fchmod(fd, mode);
        int r = bind(fd, &address->any, address->length) < 0 ? -errno : 0;
        umask(mask);
        return r;
}

int unix_file_bind(int fd, const struct address *address, mode_t mode, struct unix_file *ret)
{
        const char *path = address->un.sun_path, *name;
        _cleanup_(fd_closep) int directory = directory_open_parent(path, &name);

        if (directory < 0)
                return directory;
        int r = bind_with_mode(fd, address, mode);
        if (r == -EADDRINUSE) {
                r = check_stale(directory, name, address, true);
                if (r == 0)
                        r = bind_with_mode(fd, address, mode);
        }
        if (r < 0)
                return r;
        r = find_bound(fd, directory, name, ret);
        if (r < 0)
                remove_stray(fd, path);
        return r;
}

int unix_file_recognise(int fd, const char *path, struct unix_file *ret)
{
        const char *name;
        struct stat status;
        _cleanup_(fd_closep) int directory = directory_open_parent(path, &name);

        if (directory < 0 || fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(status.st_mode) ||
            !is_bound_to(fd, &status, true))
                return -ESTALE;
        *ret = (struct unix_file){.device = status.st_dev, .inode = status.st_ino};
        return 0;
}

bool unix_file_is_at(const struct unix_file *file, const char *path)
{
        const char *name;
        struct stat status;
        _cleanup_(fd_closep) int directory = directory_open_parent(path, &name);

        return directory >= 0 && fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && is_same(file, &status);
}

/* chmod(2) of a file that was opened with O_PATH. */
static int change_mode(int file, mode_t mode)
{
        char path[FD_PATH_MAX];

        format_fd_path(file, path);
        int r = chmod(path, mode) < 0 ? -errno : 0;
#ifdef SYS_fchmodat2
        if (r == -ENOENT) /* no /proc */
                r = syscall(SYS_fchmodat2, file, "", mode, AT_EMPTY_PATH) < 0 ? -errno : 0;
#endif
        return r;
}

static int change_owner(int file, uid_t uid, gid_t gid)
{
        return fchownat(file, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int unix_file_set_access(const struct unix_file *file, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
        const char *name;
        struct stat status = {0};
        _cleanup_(fd_closep) int directory = directory_open_parent(path, &name);

        if (directory < 0)
                return directory;
        _cleanup_(fd_closep) int fd = open_socket_file(directory, name, &status);
        if (fd < 0 || !is_same(file, &status))
                return -ENOENT;
        int r = (status.st_mode & 07777) == mode ? 0 : change_mode(fd, mode);
        if (r == -EPERM) { /* root without CAP_FOWNER has to own a file to change its mode */
                r = change_owner(fd, geteuid(), (gid_t)-1);
                if (r == 0)
                        r = change_mode(fd, mode);
        }
        return r < 0 ? r : change_owner(fd, uid, gid);
}

void unix_file_remove(const struct unix_file *file, const char *path)
{
        const char *name;
        _cleanup_(fd_closep) int directory = directory_open_parent(path, &name);

        if (directory >= 0)
                remove_if_same(directory, name, file);
}

int unix_file_try(const char *path)
{
        const char *name;
        struct stat status;
        _cleanup_(fd_closep) int directory = directory_open_parent(path, &name);

        if (directory < 0)
                return directory;
        if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISSOCK(status.st_mode))
                return -ENOTSOCK;
        return faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}
