#include "os/process/executable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/* As execve(2) has them: bytes of a file that are looked at, and interpreters of interpreters. */
#define HEAD_SIZE 256
#define DEPTH_MAX 4

/* Explain, and return `result`; -ENOMEM if there is no memory for the words. */
__attribute__((format(printf, 3, 4))) static int explain(struct text *why, int result, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(why, format, arguments);
        va_end(arguments);
        return r < 0 ? r : result;
}

static int open_inside(const char *root, const char *path)
{
        const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
        _cleanup_(freep) char *whole = NULL;
        _cleanup_(fd_closep) int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (root_fd < 0)
                return -errno;
        int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) /* a seccomp filter may not know the call */
                return fd < 0 ? -errno : fd;
        if (asprintf(&whole, "%s%s", root, path) < 0)
                return -ENOMEM;
        fd = open(whole, O_PATH | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* A handle on the file, as the user. */
static int open_path(const struct executable_place *place, const char *path)
{
        struct file_user_saved saved;

        file_user_begin(&place->user, &saved);
        int fd = place->root ? open_inside(place->root, path) : open(path, O_PATH | O_CLOEXEC);
        int r = fd < 0 ? place->root ? fd : -errno : fd;
        file_user_end(&saved);
        return r;
}

/* May the user do that with the file? Yes, where the kernel cannot be asked. */
static bool may(const struct executable_place *place, int fd, int mode)
{
        struct file_user_saved saved;

        file_user_begin(&place->user, &saved);
        int r = faccessat(fd, "", mode, AT_EMPTY_PATH | AT_EACCESS);
        bool denied = r < 0 && errno == EACCES;
        file_user_end(&saved);
        return !denied;
}

static int explain_mode(struct text *why, const char *what, int fd)
{
        struct stat status = {0};

        fstat(fd, &status);
        return explain(why, -EACCES, "%s (mode %04o, uid %u, gid %u)", what, status.st_mode & 07777, status.st_uid,
                       status.st_gid);
}

/* Which directory on the way denies it? */
static int explain_denial(const struct executable_place *place, const char *path, struct text *why)
{
        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_(freep) char *prefix = strndup(path, (size_t)(slash - path));
                _cleanup_(fd_closep) int fd = prefix ? open_path(place, prefix) : -ENOMEM;
                if (fd < 0)
                        break;
                if (may(place, fd, X_OK))
                        continue;
                int r = explain(why, 0, "the directory \"%s\" ", prefix);
                return r < 0 ? r : explain_mode(why, "may not be entered", fd);
        }
        return explain(why, -EACCES, "%s", strerror(EACCES));
}

/* A handle on what is there; -errno with an explanation. */
static int look(const struct executable_place *place, const char *path, struct text *why, struct stat *ret)
{
        int fd = open_path(place, path);

        if (fd == -EACCES)
                return explain_denial(place, path, why);
        if (fd < 0)
                return explain(why, fd, "%s", strerror(-fd));
        if (fstat(fd, ret) < 0) {
                close(fd);
                return explain(why, -EIO, "%s", strerror(EIO));
        }
        return fd;
}

static int check_file(const struct executable_place *place, const char *path, unsigned depth, struct text *why);

/* Check another program without which this one does not run; `what` it is to it. */
static int check_helper(const struct executable_place *place, const char *what, const char *path, unsigned depth,
                        struct text *why)
{
        _cleanup_(text_clear) struct text reason = {0};
        _cleanup_(freep) char *whole = NULL;

        if (depth > DEPTH_MAX)
                return explain(why, -ELOOP, "interpreters of interpreters, more than %d deep", DEPTH_MAX);
        if (path[0] != '/' && asprintf(&whole, "%s/%s", place->directory, path) < 0)
                return -ENOMEM;
        int r = check_file(place, whole ? whole : path, depth, &reason);
        return r == 0 || r == -ENOMEM ? r : explain(why, r, "its %s \"%s\": %s", what, path, text_string(&reason));
}

/* The first line of a script, as the kernel reads it. */
static int check_script(const struct executable_place *place, int fd, char *line, unsigned depth, struct text *why)
{
        char *end = line + strcspn(line, "\n"), *name = line + strspn(line, " \t");
        bool has_cr = end > line && end[-1] == '\r';

        *end = '\0';
        size_t length = strcspn(name, " \t");
        if (has_cr)
                end[-1] = '\0'; /* not into people's terminals */
        if (name + length == end && has_cr)
                return explain(why, -ENOENT,
                               "its first line ends in CR LF, so that its interpreter would be \"%s\\r\": %s", name,
                               strerror(ENOENT));
        if (length == 0)
                return explain(why, -ENOEXEC, "no interpreter follows \"#!\": %s", strerror(ENOEXEC));
        if (!may(place, fd, R_OK))
                return explain_mode(why, "it is a script, which its interpreter may not read", fd);
        name[length] = '\0';
        int r = check_helper(place, "interpreter", name, depth + 1, why);
        if (r == 0 && has_cr)
                r = explain(why, 1, "its first line ends in CR LF, and \"%s\" gets the CR in an argument", name);
        return r;
}

static int explain_cut(off_t size, struct text *why)
{
        return explain(why, -ENOEXEC, "it is an ELF program that was cut off after %lld bytes: %s", (long long)size,
                       strerror(ENOEXEC));
}

static int check_segment(const struct executable_place *place, int fd, const ElfW(Phdr) * segment, off_t size,
                         unsigned depth, struct text *why)
{
        char loader[PATH_MAX] = "";

        if ((segment->p_type != PT_LOAD && segment->p_type != PT_INTERP) || segment->p_filesz == 0)
                return 0;
        if (segment->p_offset > (uint64_t)size || segment->p_filesz > (uint64_t)size - segment->p_offset)
                return explain_cut(size, why);
        if (segment->p_type == PT_LOAD || segment->p_filesz >= sizeof(loader) ||
            pread(fd, loader, segment->p_filesz, (off_t)segment->p_offset) != (ssize_t)segment->p_filesz)
                return 0;
        return check_helper(place, "loader", loader, depth + 1, why);
}

/* Of our own kind; others are left to the kernel. */
static int check_elf(const struct executable_place *place, int fd, const struct stat *status, unsigned depth,
                     struct text *why)
{
        const unsigned char own_class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
        const unsigned char own_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
        ElfW(Ehdr) header = {0};

        if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header))
                return explain_cut(status->st_size, why);
        if (header.e_ident[EI_CLASS] != own_class || header.e_ident[EI_DATA] != own_order)
                return 0;
        if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
                return explain(why, -ENOEXEC, "it is an ELF file, but not a program: %s", strerror(ENOEXEC));
        for (unsigned i = 0; i < header.e_phnum && header.e_phentsize == sizeof(ElfW(Phdr)); i++) {
                ElfW(Phdr) segment;
                if (pread(fd, &segment, sizeof(segment), (off_t)(header.e_phoff + i * sizeof(segment))) !=
                    (ssize_t)sizeof(segment))
                        return explain_cut(status->st_size, why);
                int r = check_segment(place, fd, &segment, status->st_size, depth, why);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* May other programs execute files of their own kinds (binfmt_misc)? Which, only execve(2) knows. */
static bool has_other_formats(void)
{
        DIR *directory = opendir("/proc/sys/fs/binfmt_misc");
        const struct dirent *entry;
        bool found = false;

        while (directory && !found && (entry = readdir(directory)))
                found = entry->d_name[0] != '.' && !text_equal(entry->d_name, "register") &&
                        !text_equal(entry->d_name, "status");
        if (directory)
                closedir(directory);
        return found;
}

/* A handle for reading the regular file of another handle, as ourselves. -errno: a program may be executable and not
 * readable. */
static int open_for_reading(int path_fd)
{
        char link[64];

        snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
        int fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return fd < 0 ? -errno : fd;
}

static int check_content(const struct executable_place *place, int path_fd, const struct stat *status, unsigned depth,
                         struct text *why)
{
        char head[HEAD_SIZE + 1] = "";

        _cleanup_(fd_closep) int fd = open_for_reading(path_fd);
        ssize_t length = fd < 0 ? -1 : pread(fd, head, HEAD_SIZE, 0);
        if (length < 0)
                return 0;
        if (text_starts_with(head, "#!"))
                return check_script(place, path_fd, head + 2, depth, why);
        if (length >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
                return check_elf(place, fd, status, depth, why);
        if (length == 0)
                return explain(why, -ENOEXEC, "it is empty: %s", strerror(ENOEXEC));
        return explain(why, has_other_formats() ? 1 : -ENOEXEC,
                       "it begins with neither \"#!\" and an interpreter nor the mark of an ELF program: %s",
                       strerror(ENOEXEC));
}

static bool is_on_noexec(int fd)
{
        struct statvfs status;

        return fstatvfs(fd, &status) == 0 && status.f_flag & ST_NOEXEC;
}

static int check_file(const struct executable_place *place, const char *path, unsigned depth, struct text *why)
{
        struct stat status = {0};
        _cleanup_(fd_closep) int fd = look(place, path, why, &status);

        if (fd < 0)
                return fd;
        if (S_ISDIR(status.st_mode))
                return explain(why, -EACCES, "it is a directory");
        if (!S_ISREG(status.st_mode))
                return explain(why, -EACCES, "it is not a regular file");
        if (!may(place, fd, X_OK))
                return is_on_noexec(fd) ? explain(why, -EACCES, "its file system is mounted noexec")
                                        : explain_mode(why, "it may not be executed", fd);
        return check_content(place, fd, &status, depth, why);
}

int executable_check(const struct executable_place *place, const char *path, struct text *why)
{
        _cleanup_(freep) char *whole = NULL;

        if (path[0] != '/' && asprintf(&whole, "%s/%s", place->directory, path) < 0)
                return -ENOMEM;
        return check_file(place, whole ? whole : path, 0, why);
}

/* Is it what a search of PATH takes? 0; -EACCES: there is one that may not be executed; -ENOENT. */
static int is_candidate(const struct executable_place *place, const char *path)
{
        struct stat status;
        _cleanup_(fd_closep) int fd = open_path(place, path);

        if (fd < 0)
                return fd == -EACCES ? fd : -ENOENT;
        return may(place, fd, X_OK) && fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode) ? 0 : -EACCES;
}

int executable_find(const struct executable_place *place, const char *name, const char *search_path, char **ret,
                    struct text *why)
{
        _cleanup_(freep) char *denied = NULL;

        for (const char *at = search_path; !strchr(name, '/'); at++) {
                size_t length = strcspn(at, ":");
                _cleanup_(freep) char *path = NULL;
                bool relative = at[0] != '/';
                if (asprintf(&path, "%s%s%.*s/%s", relative ? place->directory : "", relative ? "/" : "", (int)length,
                             at, name) < 0)
                        return -ENOMEM;
                int r = length > 0 ? is_candidate(place, path) : -ENOENT;
                if (r == 0) {
                        *ret = TAKE_PTR(path);
                        return executable_check(place, *ret, why);
                }
                if (r == -EACCES && !denied)
                        denied = TAKE_PTR(path);
                at += length;
                if (*at == '\0' && denied) {
                        *ret = TAKE_PTR(denied);
                        return executable_check(place, *ret, why);
                }
                if (*at == '\0')
                        return explain(why, -ENOENT, "no directory of PATH=%s has it: %s", search_path,
                                       strerror(ENOENT));
        }
        *ret = strdup(name);
        return *ret ? executable_check(place, name, why) : -ENOMEM;
}

int executable_open(const struct executable_place *place, const char *path)
{
        return open_path(place, path);
}

bool executable_may_read(const struct executable_place *place, int fd)
{
        return may(place, fd, R_OK);
}

int executable_check_directory(const struct executable_place *place, const char *path, struct text *why)
{
        struct stat status = {0};
        _cleanup_(fd_closep) int fd = look(place, path, why, &status);

        if (fd < 0)
                return fd;
        if (!S_ISDIR(status.st_mode))
                return explain(why, -ENOTDIR, "%s", strerror(ENOTDIR));
        return may(place, fd, X_OK) ? 0 : explain_mode(why, "it may not be entered", fd);
}

int executable_stat(const struct executable_place *place, const char *path, struct stat *ret)
{
        _cleanup_(fd_closep) int fd = open_path(place, path);

        if (fd < 0)
                return fd;
        return fstat(fd, ret) < 0 ? -errno : 0;
}

int executable_interpreter(const struct executable_place *place, const char *path, char **ret, char **ret_argument)
{
        _cleanup_(fd_closep) int path_fd = open_path(place, path);
        char head[HEAD_SIZE + 1] = "", *name = head + 2;
        struct stat status;

        *ret = *ret_argument = NULL;
        if (path_fd < 0 || fstat(path_fd, &status) < 0 || !S_ISREG(status.st_mode))
                return 0;
        _cleanup_(fd_closep) int fd = open_for_reading(path_fd);
        if (fd < 0 || pread(fd, head, HEAD_SIZE, 0) < 0 || !text_starts_with(head, "#!"))
                return 0;
        name[strcspn(name, "\n")] = '\0';
        name += strspn(name, " \t");
        const char *end = name + strcspn(name, " \t"), *argument = end + strspn(end, " \t");
        if (end == name)
                return 0;
        *ret_argument = strdup(argument);
        *ret = *ret_argument ? strndup(name, (size_t)(end - name)) : NULL;
        if (*ret)
                return 0;
        freep(ret_argument);
        return -ENOMEM;
}
