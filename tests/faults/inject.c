/* An injector of faults, to be preloaded: the n-th call of a function fails.
 *
 * What fails is said in the file that FAULTS names: `ROLE FUNCTION N TIMES ERRNO`. ROLE is what the process's command
 * line has in it ("--take-over=" is the program that an upgrade executes; "a&b" is both), or "*". Each process counts
 * its own calls. Each failure, TIMES in all processes together, appends a byte to FAULTS.hits, so that a test knows
 * that its fault was met. Everything here uses raw system calls, because its own calls must not count. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static char function[32];
static long first, calls, times, error_number; /* first == 0: nothing fails */
static char hits_path[512];

static long read_file(const char *path, char *buffer, size_t size)
{
        int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        long length = fd < 0 ? -1 : syscall(SYS_read, fd, buffer, size - 1);

        if (fd >= 0)
                syscall(SYS_close, fd);
        buffer[length > 0 ? length : 0] = '\0';
        return length;
}

/* Looks at the command line as one text. Cuts `role` up. */
static bool has_role(char *role)
{
        char line[4096];
        long length = read_file("/proc/self/cmdline", line, sizeof(line));

        for (long i = 0; i + 1 < length; i++)
                if (line[i] == '\0')
                        line[i] = ' ';
        if (role[0] == '*')
                return true;
        for (char *end; role; role = end ? end + 1 : NULL) {
                end = strchr(role, '&');
                if (end)
                        *end = '\0';
                if (!strstr(line, role))
                        return false;
        }
        return true;
}

static long count_hits(void)
{
        int fd = (int)syscall(SYS_openat, AT_FDCWD, hits_path, O_RDONLY | O_CLOEXEC);
        long size = fd < 0 ? 0 : syscall(SYS_lseek, fd, 0, SEEK_END);

        if (fd >= 0)
                syscall(SYS_close, fd);
        return size;
}

/* "ROLE FUNCTION N TIMES ERRNO", without the help of anything that is counted. */
__attribute__((constructor)) static void begin(void)
{
        const char *path = getenv("FAULTS");
        char text[512], *word[5], *at = text;

        if (!path || strlen(path) + 6 > sizeof(hits_path) || read_file(path, text, sizeof(text)) <= 0)
                return;
        for (int i = 0; i < 5; i++) {
                while (*at == ' ' || *at == '\n')
                        *at++ = '\0';
                word[i] = at;
                while (*at && *at != ' ' && *at != '\n')
                        at++;
        }
        *at = '\0';
        if (!has_role(word[0]))
                return;
        stpncpy(stpncpy(hits_path, path, sizeof(hits_path) - 6), ".hits", 6);
        times = strtol(word[3], NULL, 10);
        error_number = strtol(word[4], NULL, 10);
        strncpy(function, word[1], sizeof(function) - 1);
        first = strtol(word[2], NULL, 10);
}

/* True if this call is to fail; errno is set. */
static bool fails(const char *name)
{
        if (first == 0 || strcmp(name, function) != 0)
                return false;
        long number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
        if (number < first || count_hits() >= times)
                return false;
        int fd = (int)syscall(SYS_openat, AT_FDCWD, hits_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        syscall(SYS_write, fd, "x", 1);
        syscall(SYS_close, fd);
        errno = (int)error_number;
        return true;
}

/* The allocator must not be looked up: dlsym(3) allocates. */
/* NOLINTBEGIN(bugprone-reserved-identifier): these are libc's names */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

EXPORT void *malloc(size_t size)
{
        return fails("malloc") ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
        return fails("calloc") ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
        return fails("realloc") ? NULL : __libc_realloc(memory, size);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): a type, a name and lists cannot be enclosed */
#define WRAP(type, failure, name, parameters, arguments)                                                               \
        EXPORT type name parameters                                                                                    \
        {                                                                                                              \
                static type(*real) parameters;                                                                         \
                if (!real)                                                                                             \
                        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                     \
                return fails(#name) ? (type)(failure) : real arguments;                                                \
        }

/* NOLINTEND(bugprone-macro-parentheses) */
WRAP(void *, MAP_FAILED, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
     (at, size, protection, flags, fd, offset))
WRAP(void *, MAP_FAILED, mmap64, (void *at, size_t size, int protection, int flags, int fd, off_t offset),
     (at, size, protection, flags, fd, offset))
WRAP(int, -1, madvise, (void *at, size_t size, int advice), (at, size, advice))
WRAP(int, -1, epoll_create1, (int flags), (flags))
WRAP(int, -1, epoll_ctl, (int epoll_fd, int operation, int fd, struct epoll_event *event),
     (epoll_fd, operation, fd, event))
WRAP(int, -1, epoll_wait, (int epoll_fd, struct epoll_event *events, int count, int timeout),
     (epoll_fd, events, count, timeout))
WRAP(int, -1, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
WRAP(int, -1, socket, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, -1, connect, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
WRAP(int, -1, getsockname, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
WRAP(int, -1, getsockopt, (int fd, int level, int name, void *value, socklen_t *length),
     (fd, level, name, value, length))
WRAP(int, -1, setsockopt, (int fd, int level, int name, const void *value, socklen_t length),
     (fd, level, name, value, length))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, -1, fstat, (int fd, struct stat *status), (fd, status))
WRAP(int, -1, fstat64, (int fd, struct stat64 *status), (fd, status))
WRAP(int, -1, stat, (const char *path, struct stat *status), (path, status))
WRAP(int, -1, stat64, (const char *path, struct stat64 *status), (path, status))
WRAP(ssize_t, -1, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
WRAP(ssize_t, -1, readlink, (const char *path, char *buffer, size_t size), (path, buffer, size))
WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(int, -1, sigaction, (int number, const struct sigaction *action, struct sigaction *before),
     (number, action, before))
WRAP(int, -1, sigprocmask, (int how, const sigset_t *set, sigset_t *before), (how, set, before))
WRAP(int, -1, getrlimit, (__rlimit_resource_t resource, struct rlimit *limit), (resource, limit))
WRAP(int, -1, getrlimit64, (__rlimit_resource_t resource, struct rlimit64 *limit), (resource, limit))

/* Those with a last argument that may be missing: it is passed on as a word. */
#define WRAP_OPEN(name)                                                                                                \
        EXPORT int name(const char *path, int flags, ...)                                                              \
        {                                                                                                              \
                static int (*real)(const char *path, int flags, ...);                                                  \
                va_list list;                                                                                          \
                va_start(list, flags);                                                                                 \
                unsigned mode = va_arg(list, unsigned);                                                                \
                va_end(list);                                                                                          \
                if (!real)                                                                                             \
                        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                     \
                return fails(#name) ? -1 : real(path, flags, mode);                                                    \
        }

WRAP_OPEN(open)
WRAP_OPEN(open64)

#define WRAP_FCNTL(name)                                                                                               \
        EXPORT int name(int fd, int command, ...)                                                                      \
        {                                                                                                              \
                static int (*real)(int fd, int command, ...);                                                          \
                va_list list;                                                                                          \
                va_start(list, command);                                                                               \
                void *argument = va_arg(list, void *);                                                                 \
                va_end(list);                                                                                          \
                if (!real)                                                                                             \
                        *(void **)&real = dlsym(RTLD_NEXT, #name);                                                     \
                return fails(#name) ? -1 : real(fd, command, argument);                                                \
        }

WRAP_FCNTL(fcntl)
WRAP_FCNTL(fcntl64)
