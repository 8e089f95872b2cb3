/* An injector of faults, to be preloaded: the n-th call of a function fails, in the processes of one role.
 *
 * What fails is said in shared memory, the file that FAULTS names (struct control below; faults.py is its other side),
 * so that it can be changed while the processes run. Calls are counted for all processes of the role together. Only
 * calls that a program or a library makes of libc are met, not those that libc makes of itself (fopen(3) is, its
 * open(2) is not). Our own calls must not count: they go through `raw`. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

#define X(name) F_##name,
enum function {
#include "functions.inc"
        FUNCTION_COUNT
};
#undef X

/* What a process is. A mask in the control. */
enum role {
        ROLE_MASTER = 1,
        ROLE_TAKE_OVER = 2, /* what an upgrade has executed */
        ROLE_PREFLIGHT = 4,
        ROLE_CHILD = 8, /* forked by one of these, and not said yet what it is */
        ROLE_WORKER = 16,
        ROLE_CONFIGURATION = 32,
        ROLE_CONTROL = 64,
        ROLE_LOG = 128,
};

static struct control {
        uint32_t roles;
        uint32_t epoch;   /* 0, and one more with each arming */
        uint32_t ages;    /* 1: what was executed or forked before the arming; 2: since then; 3: both */
        int32_t function; /* FUNCTION_COUNT: nothing fails */
        int64_t first;    /* the first call that fails, from 1 */
        int64_t times;    /* how many fail */
        int64_t calls;    /* of the function so far */
        int32_t error;
        int32_t hits;
        uint64_t place;                  /* of the last hit: an address of the program, from its beginning */
        uint64_t counts[FUNCTION_COUNT]; /* calls of each function in that role, since the arming */
        char program[512];               /* since then: only this program; empty: any */
} * control;

static uint32_t role, epoch;
static bool is_apart; /* nothing fails */
static long (*raw)(long number, ...);

/* Another library's constructor may be the first who needs it. */
static void find_raw(void)
{
        if (!raw)
                *(void **)&raw = dlsym(RTLD_NEXT, "syscall");
}

/* The role of a program by its name and arguments. */
static uint32_t role_of(const char *program, char *const *arguments)
{
        const char *slash = strrchr(program, '/');
        const char *first = arguments[0] && arguments[1] ? arguments[1] : "";

        if (strncmp(slash ? slash + 1 : program, "preforkctl", strlen("preforkctl")) == 0)
                return ROLE_CONTROL;
        if (strncmp(slash ? slash + 1 : program, "preforkd", strlen("preforkd")) != 0)
                return 0;
        return strncmp(first, "--take-over=", strlen("--take-over=")) == 0   ? ROLE_TAKE_OVER
               : strncmp(first, "--preflight=", strlen("--preflight=")) == 0 ? ROLE_PREFLIGHT
                                                                             : ROLE_MASTER;
}

__attribute__((constructor)) static void begin(int count, char **arguments)
{
        const char *path = getenv("FAULTS");
        char program[sizeof(control->program)] = "";

        find_raw();
        if (!path || count < 1)
                return;
        long fd = raw(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return;
        void *memory = (void *)raw(SYS_mmap, NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
        raw(SYS_close, fd);
        raw(SYS_readlink, "/proc/self/exe", program, sizeof(program) - 1);
        if (memory == MAP_FAILED)
                return;
        role = role_of(program, arguments);
        control = memory;
        if (control->program[0] == '\0' || strcmp(control->program, program) == 0)
                epoch = control->epoch;
}

/* True if this call is to fail; errno is set. */
static bool fails(enum function function, void *caller)
{
        if (!control || is_apart || !(control->roles & role) || !(control->ages & (control->epoch == epoch ? 2U : 1U)))
                return false;
        __atomic_add_fetch(&control->counts[function], 1, __ATOMIC_SEQ_CST);
        if (control->function != (int32_t)function)
                return false;
        int64_t number = __atomic_add_fetch(&control->calls, 1, __ATOMIC_SEQ_CST);
        if (number < control->first || number - control->first >= control->times)
                return false;
        __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
        control->place = (uintptr_t)caller - (getauxval(AT_PHDR) & ~0xfffUL);
        errno = control->error;
        return true;
}

#define FAILS(name) fails(F_##name, __builtin_return_address(0))

/* The allocator must not be looked up: dlsym(3) allocates. */
/* NOLINTBEGIN(bugprone-reserved-identifier): these are libc's names */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

EXPORT void *malloc(size_t size)
{
        return FAILS(malloc) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
        return FAILS(calloc) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
        return FAILS(realloc) ? NULL : __libc_realloc(memory, size);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): a type, a name and lists cannot be enclosed */
/* What looks into the user database: its modules do not survive that calls of theirs fail. */
#define WRAP_DATABASE(failure, name, parameters, arguments)                                                            \
        EXPORT int name parameters                                                                                     \
        {                                                                                                              \
                REAL(int, name, parameters);                                                                           \
                if (FAILS(name))                                                                                       \
                        return failure;                                                                                \
                is_apart = true;                                                                                       \
                int r = real arguments;                                                                                \
                is_apart = false;                                                                                      \
                return r;                                                                                              \
        }

#define REAL(type, name, parameters)                                                                                   \
        static type(*real) parameters;                                                                                 \
        if (!real)                                                                                                     \
        *(void **)&real = dlsym(RTLD_NEXT, #name)

#define WRAP(type, failure, name, parameters, arguments)                                                               \
        EXPORT type name parameters                                                                                    \
        {                                                                                                              \
                REAL(type, name, parameters);                                                                          \
                return FAILS(name) ? (type)(failure) : real arguments;                                                 \
        }

/* For what has done its work when it fails: close(2) after a failed write to a disk. */
#define WRAP_DONE(type, failure, name, parameters, arguments)                                                          \
        EXPORT type name parameters                                                                                    \
        {                                                                                                              \
                REAL(type, name, parameters);                                                                          \
                type result = real arguments;                                                                          \
                return FAILS(name) ? (type)(failure) : result;                                                         \
        }

/* For those with one more argument that may be missing: it is passed on as a word. */
#define WRAP_MORE(name, parameters, last, ...)                                                                         \
        EXPORT int name parameters                                                                                     \
        {                                                                                                              \
                REAL(int, name, parameters);                                                                           \
                va_list list;                                                                                          \
                va_start(list, last);                                                                                  \
                void *more = va_arg(list, void *);                                                                     \
                va_end(list);                                                                                          \
                return FAILS(name) ? -1 : real(__VA_ARGS__, more);                                                     \
        }
/* NOLINTEND(bugprone-macro-parentheses) */

#define ADDRESS struct sockaddr *address
#define LENGTH socklen_t *length
#define LIMIT __rlimit_resource_t resource

WRAP(int, -1, accept4, (int fd, ADDRESS, LENGTH, int flags), (fd, address, length, flags))
WRAP(int, -1, access, (const char *path, int mode), (path, mode))
WRAP(int, -1, bind, (int fd, const ADDRESS, socklen_t length), (fd, address, length))
WRAP(int, -1, chdir, (const char *path), (path))
WRAP(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(int, -1, chroot, (const char *path), (path))
WRAP_DONE(int, -1, close, (int fd), (fd))
WRAP(int, -1, close_range, (unsigned first, unsigned last, int flags), (first, last, flags))
WRAP_DONE(int, -1, closedir, (DIR * directory), (directory))
WRAP(int, -1, connect, (int fd, const ADDRESS, socklen_t length), (fd, address, length))
WRAP(int, -1, dup2, (int fd, int other), (fd, other))
WRAP(int, -1, dup3, (int fd, int other, int flags), (fd, other, flags))
WRAP(int, -1, epoll_create1, (int flags), (flags))
WRAP(int, -1, epoll_ctl, (int set, int operation, int fd, struct epoll_event *event), (set, operation, fd, event))
WRAP(int, -1, epoll_wait, (int set, struct epoll_event *events, int count, int timeout), (set, events, count, timeout))
WRAP(int, -1, eventfd, (unsigned count, int flags), (count, flags))
WRAP(int, -1, execve, (const char *path, char *const *argv, char *const *environment), (path, argv, environment))
WRAP(int, -1, execveat, (int at, const char *path, char *const *argv, char *const *environment, int flags),
     (at, path, argv, environment, flags))
WRAP(int, -1, faccessat, (int at, const char *path, int mode, int flags), (at, path, mode, flags))
WRAP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, -1, fchownat, (int at, const char *path, uid_t uid, gid_t gid, int flags), (at, path, uid, gid, flags))
WRAP_MORE(fcntl64, (int fd, int command, ...), command, fd, command)
WRAP_DONE(int, EOF, fclose, (FILE * file), (file))
WRAP_DONE(int, EOF, fflush, (FILE * file), (file))
WRAP(char *, NULL, fgets, (char *line, int size, FILE *file), (line, size, file))
WRAP(FILE *, NULL, fopen64, (const char *path, const char *mode), (path, mode))
WRAP(int, EOF, fputs, (const char *text, FILE *file), (text, file))
WRAP(int, -1, fstat64, (int fd, struct stat64 *status), (fd, status))
WRAP(int, -1, fstatat64, (int at, const char *path, struct stat64 *status, int flags), (at, path, status, flags))
WRAP(int, -1, fstatvfs64, (int fd, struct statvfs64 *status), (fd, status))
WRAP(ssize_t, -1, fgetxattr, (int fd, const char *name, void *value, size_t size), (fd, name, value, size))
WRAP(int, -1, ftruncate64, (int fd, off64_t size), (fd, size))
WRAP(size_t, 0, fwrite, (const void *data, size_t size, size_t count, FILE *file), (data, size, count, file))
WRAP(char *, NULL, getcwd, (char *buffer, size_t size), (buffer, size))
WRAP(ssize_t, -1, getdelim, (char **line, size_t *size, int end, FILE *file), (line, size, end, file))
WRAP(ssize_t, -1, __getdelim, (char **line, size_t *size, int end, FILE *file), (line, size, end, file))
WRAP_DATABASE(control->error, getgrnam_r,
              (const char *name, struct group *group, char *buffer, size_t size, struct group **ret),
              (name, group, buffer, size, ret))
WRAP_DATABASE(-1, getgrouplist, (const char *user, gid_t group, gid_t *groups, int *count),
              (user, group, groups, count))
WRAP(int, -1, getgroups, (int size, gid_t *groups), (size, groups))
WRAP(int, -1, getpeername, (int fd, ADDRESS, LENGTH), (fd, address, length))
WRAP(pid_t, -1, getpgid, (pid_t pid), (pid))
WRAP(int, -1, getpriority, (__priority_which_t which, id_t who), (which, who))
WRAP_DATABASE(control->error, getpwnam_r,
              (const char *name, struct passwd *user, char *buffer, size_t size, struct passwd **ret),
              (name, user, buffer, size, ret))
WRAP_DATABASE(control->error, getpwuid_r,
              (uid_t uid, struct passwd *user, char *buffer, size_t size, struct passwd **ret),
              (uid, user, buffer, size, ret))
WRAP(ssize_t, -1, getrandom, (void *buffer, size_t size, unsigned flags), (buffer, size, flags))
WRAP(int, -1, getresgid, (gid_t * real_id, gid_t *effective, gid_t *saved), (real_id, effective, saved))
WRAP(int, -1, getresuid, (uid_t * real_id, uid_t *effective, uid_t *saved), (real_id, effective, saved))
WRAP(int, -1, getrlimit64, (LIMIT, struct rlimit64 *limit), (resource, limit))
WRAP(int, -1, getsockname, (int fd, ADDRESS, LENGTH), (fd, address, length))
WRAP(ssize_t, -1, getxattr, (const char *path, const char *name, void *value, size_t size), (path, name, value, size))
WRAP(int, -1, getsockopt, (int fd, int level, int name, void *value, LENGTH), (fd, level, name, value, length))
WRAP(unsigned, 0, if_nametoindex, (const char *name), (name))
WRAP_MORE(ioctl, (int fd, unsigned long request, ...), request, fd, request)
WRAP(int, -1, kill, (pid_t pid, int number), (pid, number))
WRAP(int, -1, lchown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
WRAP(int, -1, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, -1, lstat64, (const char *path, struct stat64 *status), (path, status))
WRAP(int, -1, madvise, (void *at, size_t size, int advice), (at, size, advice))
WRAP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, -1, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode))
WRAP(void *, MAP_FAILED, mmap64, (void *at, size_t size, int protection, int flags, int fd, off64_t offset),
     (at, size, protection, flags, fd, offset))
WRAP_MORE(open64, (const char *path, int flags, ...), flags, path, flags)
WRAP_MORE(openat64, (int at, const char *path, int flags, ...), flags, at, path, flags)
WRAP(DIR *, NULL, opendir, (const char *path), (path))
WRAP_DONE(int, -1, munmap, (void *at, size_t size), (at, size))
WRAP(int, -1, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
WRAP(int, -1, pidfd_send_signal, (int fd, int number, siginfo_t *info, unsigned flags), (fd, number, info, flags))
WRAP(int, -1, pipe2, (int fds[2], int flags), (fds, flags))
/* What programs call that were compiled with _FORTIFY_SOURCE, and know the size of the array. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): a name of libc's */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size);
WRAP(int, -1, __poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t size), (fds, count, timeout, size))
WRAP(int, -1, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
WRAP(int, -1, ppoll, (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
     (fds, count, timeout, mask))
WRAP(ssize_t, -1, pread64, (int fd, void *buffer, size_t size, off64_t offset), (fd, buffer, size, offset))
WRAP(ssize_t, -1, pwritev64v2, (int fd, const struct iovec *parts, int count, off64_t offset, int flags),
     (fd, parts, count, offset, flags))
WRAP(ssize_t, -1, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
WRAP(struct dirent64 *, NULL, readdir64, (DIR * directory), (directory))
WRAP(ssize_t, -1, readlink, (const char *path, char *buffer, size_t size), (path, buffer, size))
WRAP(ssize_t, -1, readlinkat, (int at, const char *path, char *buffer, size_t size), (at, path, buffer, size))
WRAP(int, -1, scandir64,
     (const char *path, struct dirent64 ***entries, int (*filter)(const struct dirent64 *),
      int (*compare)(const struct dirent64 **, const struct dirent64 **)),
     (path, entries, filter, compare))
WRAP(int, control->error, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *context),
     (thread, attributes, entry, context))
WRAP(int, control->error, pthread_key_create, (pthread_key_t * key, void (*end)(void *)), (key, end))
WRAP(int, control->error, pthread_setspecific, (pthread_key_t key, const void *value), (key, value))
WRAP(char *, NULL, realpath, (const char *path, char *resolved), (path, resolved))
WRAP(void *, NULL, reallocarray, (void *memory, size_t count, size_t size), (memory, count, size))
WRAP(ssize_t, -1, recv, (int fd, void *buffer, size_t size, int flags), (fd, buffer, size, flags))
WRAP(ssize_t, -1, recvfrom, (int fd, void *bytes, size_t size, int flags, __SOCKADDR_ARG address, socklen_t *length),
     (fd, bytes, size, flags, address, length))
WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
WRAP(ssize_t, -1, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(ssize_t, -1, sendto, (int fd, const void *data, size_t size, int flags, const ADDRESS, socklen_t length),
     (fd, data, size, flags, address, length))
WRAP(int, -1, setenv, (const char *name, const char *value, int replace), (name, value, replace))
WRAP(int, -1, setgroups, (size_t count, const gid_t *groups), (count, groups))
WRAP(int, -1, setitimer, (__itimer_which_t which, const struct itimerval *value, struct itimerval *before),
     (which, value, before))
WRAP(int, -1, setpgid, (pid_t pid, pid_t group), (pid, group))
WRAP(int, -1, setpriority, (__priority_which_t which, id_t who, int value), (which, who, value))
WRAP(int, -1, setresgid, (gid_t real_id, gid_t effective, gid_t saved), (real_id, effective, saved))
WRAP(int, -1, setresuid, (uid_t real_id, uid_t effective, uid_t saved), (real_id, effective, saved))
WRAP(int, -1, setrlimit64, (LIMIT, const struct rlimit64 *limit), (resource, limit))
WRAP(pid_t, -1, setsid, (void), ())
WRAP(int, -1, setsockopt, (int fd, int level, int name, const void *value, socklen_t length),
     (fd, level, name, value, length))
WRAP(int, -1, shutdown, (int fd, int how), (fd, how))
WRAP(int, -1, sigaction, (int number, const struct sigaction *action, struct sigaction *before),
     (number, action, before))
WRAP(sighandler_t, SIG_ERR, signal, (int number, sighandler_t handler), (number, handler))
WRAP(int, -1, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
WRAP(int, -1, sigprocmask, (int how, const sigset_t *set, sigset_t *before), (how, set, before))
WRAP(int, -1, socket, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, -1, socketpair, (int family, int type, int protocol, int pair[2]), (family, type, protocol, pair))
WRAP(ssize_t, -1, splice, (int in, off64_t *in_at, int out, off64_t *out_at, size_t size, unsigned flags),
     (in, in_at, out, out_at, size, flags))
WRAP(int, -1, stat64, (const char *path, struct stat64 *status), (path, status))
WRAP(int, -1, timerfd_create, (clockid_t clock, int flags), (clock, flags))
WRAP(int, -1, unlink, (const char *path), (path))
WRAP(int, -1, unlinkat, (int at, const char *path, int flags), (at, path, flags))
WRAP(pid_t, -1, wait4, (pid_t pid, int *status, int options, struct rusage *usage), (pid, status, options, usage))
WRAP(int, -1, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
WRAP(pid_t, -1, waitpid, (pid_t pid, int *status, int options), (pid, status, options))
WRAP(ssize_t, -1, write, (int fd, const void *data, size_t size), (fd, data, size))

EXPORT long syscall(long number, ...)
{
        va_list list;
        long words[6];

        va_start(list, number);
        for (int i = 0; i < 6; i++)
                words[i] = va_arg(list, long);
        va_end(list);
        find_raw();
        return FAILS(syscall) ? -1 : raw(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

EXPORT int prctl(int option, ...)
{
        REAL(int, prctl, (int option, ...));
        va_list list;
        unsigned long words[4];

        va_start(list, option);
        for (int i = 0; i < 4; i++)
                words[i] = va_arg(list, unsigned long);
        va_end(list);
        return FAILS(prctl) ? -1 : real(option, words[0], words[1], words[2], words[3]);
}

EXPORT pid_t fork(void)
{
        REAL(pid_t, fork, (void));
        if (FAILS(fork))
                return -1;
        pid_t pid = real();
        if (pid == 0 && control)
                epoch = control->epoch;
        if (pid == 0)
                role = role & (ROLE_MASTER | ROLE_TAKE_OVER) ? ROLE_CHILD : 0;
        return pid;
}

/* The child runs in our frame: it must be the caller's. The compiler makes a jump of the last call. */
EXPORT pid_t vfork(void)
{
        REAL(pid_t, vfork, (void));
        if (FAILS(vfork))
                return -1;
        return real();
}

/* Of libbsd: a child says what it is. */
EXPORT void setproctitle(const char *format, ...)
{
        REAL(void, setproctitle, (const char *format, ...));
        char title[256];
        va_list list;

        va_start(list, format);
        vsnprintf(title, sizeof(title), format, list);
        va_end(list);
        if (role == ROLE_CHILD)
                role = strncmp(title, "worker ", strlen("worker ")) == 0     ? ROLE_WORKER
                       : strncmp(title, "reading ", strlen("reading ")) == 0 ? ROLE_CONFIGURATION
                       : strncmp(title, "log ", strlen("log ")) == 0         ? ROLE_LOG
                                                                             : ROLE_PREFLIGHT;
        real("%s", title);
}
