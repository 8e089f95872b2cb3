/* The functions of libc that the preload object takes the place of, and its begin and end. Called by the program.
 *
 * Each calls preload/accounting, and returns as libc's does: -1 with errno set if the call failed; a success leaves
 * errno alone, because some programs tell the two apart by it. */
#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "preload/accounting.h"
#include "preload/copies.h"
#include "preload/fast_exit.h"
#include "preload/listener_template.h"
#include "preload/service.h"
#include "preload/snapshot.h"

#define TAKEN __attribute__((visibility("default")))

extern char **environ;

static long result(long r)
{
        if (r >= 0)
                return r;
        errno = (int)-r;
        return -1;
}

/* glibc passes them to constructors. */
__attribute__((constructor)) static void begin(int argc, char **argv, char **environment)
{
        (void)argc;
        (void)argv;
        if (!service_prepare(environment)) {
                accounting_begin(environment);
                return;
        }
        if (service_value(ATTACH_FAST_EXIT) != 0)
                service_note_fast_exit(fast_exit_begin());
        if (service_is_expected(ATTACH_STOP_TOUCH))
                snapshot_begin();
        if (service_is_expected(ATTACH_STOP_WAIT))
                listener_template_begin();
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): a name of libc's */
typedef int main_function(int argc, char **argv, char **environment);
typedef int start_function(main_function *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                           void (*loader_fini)(void), void *stack_end);
start_function __libc_start_main;
static main_function *program_main;

/* The heap exists from now on: no copy has to make it. */
static void make_heap(void)
{
        void *volatile memory = malloc(1);

        free(memory);
}

/* In place of the program's main(): it is loaded, and its constructors have run. */
static int stop_before_main(int argc, char **argv, char **environment)
{
        if (service_is_expected(ATTACH_STOP_MAIN)) {
                make_heap();
                environment = environ = copies_run(environ);
                service_restore_mask();
        }
        return program_main(argc, argv, environment);
}

/* Of any version: they differ in what they do before they call main(). */
TAKEN int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                            void (*loader_fini)(void), void *stack_end)
{
        start_function *real = NULL;

        *(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
        program_main = main;
        return real(stop_before_main, argc, argv, init, fini, loader_fini, stack_end);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

__attribute__((destructor)) static void end(void)
{
        accounting_end();
}

/* cloexec: it is the program that chooses. */
TAKEN int accept(int fd, struct sockaddr *peer, socklen_t *length)
{
        return (int)result(accounting_accept(fd, peer, length, 0));
}

/* cloexec: the same. */
TAKEN int accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
        return (int)result(accounting_accept(fd, peer, length, flags));
}

static struct timespec *timespec_of_ms(int ms, struct timespec *memory)
{
        if (ms < 0)
                return NULL;
        *memory = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
        return memory;
}

TAKEN int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
        struct timespec timeout;

        return (int)result(accounting_poll(fds, count, timespec_of_ms(timeout_ms, &timeout), NULL));
}

TAKEN int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
        struct timespec left = timeout ? *timeout : (struct timespec){0}; /* the kernel's call changes it */

        return (int)result(accounting_poll(fds, count, timeout ? &left : NULL, mask));
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): names of libc's */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size);

/* What programs call that were compiled with _FORTIFY_SOURCE. */
TAKEN int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t size)
{
        if (size / sizeof(*fds) < count)
                abort();
        return poll(fds, count, timeout_ms);
}

TAKEN int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                      size_t size)
{
        if (size / sizeof(*fds) < count)
                abort();
        return ppoll(fds, count, timeout, mask);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

TAKEN int select(int count, fd_set *reads, fd_set *writes, fd_set *errors, struct timeval *timeout)
{
        struct timespec left = {0};

        if (timeout)
                left = (struct timespec){.tv_sec = timeout->tv_sec, .tv_nsec = timeout->tv_usec * 1000};
        long r = accounting_select(count, reads, writes, errors, timeout ? &left : NULL, NULL);
        if (timeout) /* as Linux does */
                *timeout = (struct timeval){.tv_sec = left.tv_sec, .tv_usec = left.tv_nsec / 1000};
        return (int)result(r);
}

TAKEN int pselect(int count, fd_set *reads, fd_set *writes, fd_set *errors, const struct timespec *timeout,
                  const sigset_t *mask)
{
        struct timespec left = timeout ? *timeout : (struct timespec){0};

        return (int)result(accounting_select(count, reads, writes, errors, timeout ? &left : NULL, mask));
}

TAKEN int epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms)
{
        return (int)result(accounting_epoll(epoll_fd, events, most, timeout_ms, NULL));
}

TAKEN int epoll_pwait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms, const sigset_t *mask)
{
        return (int)result(accounting_epoll(epoll_fd, events, most, timeout_ms, mask));
}

TAKEN int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
        return (int)result(accounting_epoll_ctl(epoll_fd, operation, fd, event));
}

TAKEN int close(int fd)
{
        return (int)result(accounting_close(fd));
}

TAKEN int close_range(unsigned first, unsigned last, int flags)
{
        return (int)result(accounting_close_range(first, last, flags));
}

TAKEN void closefrom(int first)
{
        accounting_close_range(first < 0 ? 0 : (unsigned)first, ~0U, 0);
}

TAKEN int dup2(int from, int to)
{
        return (int)result(accounting_dup2(from, to));
}

/* cloexec: the same. */
TAKEN int dup3(int from, int to, int flags)
{
        return (int)result(accounting_dup3(from, to, flags));
}

/* exit(3) runs the destructor; these run nothing. */
static _Noreturn void end_at_once(int code)
{
        void (*real)(int) = NULL;

        accounting_end();
        *(void **)&real = dlsym(RTLD_NEXT, "_exit");
        for (;;)
                real(code);
}

TAKEN void _exit(int code)
{
        end_at_once(code);
}

TAKEN void _Exit(int code)
{
        end_at_once(code);
}

/* The calls that execute a program in this process. */

static int search_and_execute(const char *file, char *const *arguments, char *const *environment)
{
        int (*real)(const char *, char *const *, char *const *) = NULL;

        *(void **)&real = dlsym(RTLD_NEXT, "execvpe");
        return real(file, arguments, environment);
}

static int execute(const char *path, char *const *arguments, char *const *environment)
{
        return (int)result(accounting_execute(path, arguments, environment, NULL));
}

static int execute_found(const char *file, char *const *arguments, char *const *environment)
{
        return (int)result(accounting_execute(file, arguments, environment, search_and_execute));
}

TAKEN int execve(const char *path, char *const *arguments, char *const *environment)
{
        return execute(path, arguments, environment);
}

TAKEN int execv(const char *path, char *const *arguments)
{
        return execute(path, arguments, environ);
}

TAKEN int execvpe(const char *file, char *const *arguments, char *const *environment)
{
        return execute_found(file, arguments, environment);
}

TAKEN int execvp(const char *file, char *const *arguments)
{
        return execute_found(file, arguments, environ);
}

/* The arguments of execl() and its kind: how many, before the NULL that ends them … */
static size_t count_words(const char *first, va_list *list)
{
        size_t count = 0;

        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer does not follow pointers to lists */
        for (const char *word = first; word; word = va_arg(*list, const char *))
                count++;
        return count;
}

/* … and as a vector. What follows the NULL is left in the list. */
static void fill_vector(char **vector, const char *first, va_list *list)
{
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer does not follow pointers to lists */
        for (const char *word = first; word; word = va_arg(*list, const char *))
                *vector++ = (char *)(uintptr_t)word;
        *vector = NULL;
}

TAKEN int execl(const char *path, const char *first, ...)
{
        va_list list;

        va_start(list, first);
        size_t count = count_words(first, &list);
        va_end(list);
        char **vector = alloca((count + 1) * sizeof(*vector));
        va_start(list, first);
        fill_vector(vector, first, &list);
        va_end(list);
        return execute(path, vector, environ);
}

TAKEN int execlp(const char *file, const char *first, ...)
{
        va_list list;

        va_start(list, first);
        size_t count = count_words(first, &list);
        va_end(list);
        char **vector = alloca((count + 1) * sizeof(*vector));
        va_start(list, first);
        fill_vector(vector, first, &list);
        va_end(list);
        return execute_found(file, vector, environ);
}

TAKEN int execle(const char *path, const char *first, ...)
{
        va_list list;

        va_start(list, first);
        size_t count = count_words(first, &list);
        va_end(list);
        char **vector = alloca((count + 1) * sizeof(*vector));
        va_start(list, first);
        fill_vector(vector, first, &list);
        char *const *environment = va_arg(list, char *const *);
        va_end(list);
        return execute(path, vector, environment);
}
