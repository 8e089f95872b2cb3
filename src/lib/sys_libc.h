/* The system calls of lib/ through libc, for libprefork and the daemon's workers. Included by lib/sys alone. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static inline long sys_result(long result)
{
        return result < 0 ? -errno : result;
}

/* A signal handler leaves errno as it was. */
static inline int sys_keep_errno(void)
{
        return errno;
}

static inline void sys_restore_errno(int kept)
{
        errno = kept;
}

static inline long sys_write(int fd, const void *data, size_t size)
{
        return sys_result(write(fd, data, size));
}

static inline long sys_pread(int fd, void *data, size_t size)
{
        return sys_result(pread(fd, data, size, 0));
}

static inline void sys_close(int fd)
{
        close(fd);
}

/* Open an existing file to read it. */
static inline int sys_open(const char *path)
{
        return (int)sys_result(open(path, O_RDONLY | O_CLOEXEC));
}

static inline int sys_set_cloexec(int fd)
{
        return (int)sys_result(fcntl(fd, F_SETFD, FD_CLOEXEC));
}

static inline int sys_dup3(int from, int to)
{
        return (int)sys_result(dup3(from, to, O_CLOEXEC));
}

/* Another number for the same open file, above this one; the old one is closed. */
static inline int sys_move_up(int fd)
{
        int moved = fcntl(fd, F_DUPFD_CLOEXEC, fd + 1);

        if (moved < 0)
                return -errno;
        close(fd);
        return moved;
}

static inline int sys_eventfd(unsigned value)
{
        return (int)sys_result(eventfd(value, EFD_CLOEXEC));
}

static inline int sys_fstat(int fd, struct stat *ret)
{
        return (int)sys_result(fstat(fd, ret));
}

/* The value of a socket option of level SOL_SOCKET. */
static inline int sys_socket_option(int fd, int option, int *ret)
{
        socklen_t length = sizeof(*ret);

        return (int)sys_result(getsockopt(fd, SOL_SOCKET, option, ret, &length));
}

/* As getsockopt(2) of SOL_SOCKET, for any value. */
static inline int sys_socket_value(int fd, int option, void *ret, socklen_t *length)
{
        return (int)sys_result(getsockopt(fd, SOL_SOCKET, option, ret, length));
}

/* The same of setsockopt(2). */
static inline int sys_set_socket_value(int fd, int option, const void *value, socklen_t length)
{
        return (int)sys_result(setsockopt(fd, SOL_SOCKET, option, value, length));
}

/* TCP_INFO. 0 or -errno; an older kernel fills in less, and *length says how much. */
static inline int sys_tcp_info(int fd, struct tcp_info *ret, socklen_t *length)
{
        return (int)sys_result(getsockopt(fd, IPPROTO_TCP, TCP_INFO, ret, length));
}

/* It is a connected socket. */
/* As getsockname(2). */
static inline int sys_socket_name(int fd, struct sockaddr *ret, socklen_t *length)
{
        return getsockname(fd, ret, length) < 0 ? -errno : 0;
}

static inline bool sys_has_peer(int fd)
{
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);

        return getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
}

/* The name of an interface; `fd` is any socket. */
static inline int sys_interface_name(int fd, uint32_t index, char name[static IF_NAMESIZE])
{
        struct ifreq request = {.ifr_ifindex = (int)index};

        if (ioctl(fd, SIOCGIFNAME, &request) < 0)
                return -errno;
        memcpy(name, request.ifr_name, IF_NAMESIZE);
        return 0;
}

static inline void sys_shutdown(int fd, int how)
{
        shutdown(fd, how);
}

/* As much as there is room for, without waiting for more. */
static inline long sys_send_now(int fd, const void *data, size_t size)
{
        return sys_result(send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* What has been received, without waiting for more. */
static inline long sys_receive_now(int fd, void *data, size_t size)
{
        return sys_result(recv(fd, data, size, MSG_DONTWAIT));
}

/* The same, and it stays there. */
static inline long sys_peek_now(int fd, void *data, size_t size)
{
        return sys_result(recv(fd, data, size, MSG_DONTWAIT | MSG_PEEK));
}

/* As sys_peek_now(); -EPROTO if there are descriptors beside these bytes. They stay there. */
static inline long sys_peek_harmless_now(int fd, void *data, size_t size)
{
        struct iovec range = {.iov_base = data, .iov_len = size};
        struct msghdr message = {.msg_iov = &range, .msg_iovlen = 1};
        long length = sys_result(recvmsg(fd, &message, MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC));

        return length >= 0 && message.msg_flags & MSG_CTRUNC ? -EPROTO : length;
}

/* accept4(2) with SOCK_CLOEXEC; `length` as there. */
static inline int sys_accept(int fd, struct sockaddr *peer, socklen_t *length)
{
        return (int)sys_result(accept4(fd, peer, length, SOCK_CLOEXEC));
}

static inline int sys_poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
        return (int)sys_result(poll(fds, count, timeout_ms));
}

static inline int sys_epoll_create(void)
{
        return (int)sys_result(epoll_create1(EPOLL_CLOEXEC));
}

static inline int sys_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
        return (int)sys_result(epoll_ctl(epoll_fd, operation, fd, event));
}

static inline int sys_epoll_wait(int epoll_fd, struct epoll_event *event)
{
        return (int)sys_result(epoll_wait(epoll_fd, event, 1, -1));
}

/* A non-blocking descriptor from which one signal is read. */
static inline int sys_signalfd(int number)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, number);
        return (int)sys_result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

static inline long sys_read(int fd, void *data, size_t size)
{
        return sys_result(read(fd, data, size));
}

static inline int sys_map_shared(int fd, size_t size, void **ret)
{
        *ret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        return *ret == MAP_FAILED ? -errno : 0;
}

static inline void sys_unmap(void *memory, size_t size)
{
        munmap(memory, size);
}

static inline pid_t sys_getpid(void)
{
        return getpid();
}

static inline pid_t sys_getppid(void)
{
        return getppid();
}

static inline pid_t sys_gettid(void)
{
        return (pid_t)syscall(SYS_gettid);
}

/* Send a signal to one thread of this process. */
static inline void sys_signal_thread(pid_t tid, int number)
{
        syscall(SYS_tgkill, getpid(), tid, number);
}

static inline int sys_kill(pid_t pid, int number)
{
        return (int)sys_result(kill(pid, number));
}

static inline pid_t sys_getpgid(pid_t pid)
{
        return (pid_t)sys_result(getpgid(pid));
}

/* What sys_start_copy() needs for a function that does nothing but make system calls. */
#define SYS_COPY_STACK 2048

/* Run `function`, which does nothing but make system calls and never returns, in another process: it has copies of this
 * one's descriptors, blocks all signals, no signal tells when it ends, and wait(2) knows nothing of it. It may be in
 * this one's memory, on `stack`, SYS_COPY_STACK bytes that stay until sys_await_copy(). Returns its pid or -errno. */
static inline pid_t sys_start_copy(void (*function)(void *context), void *context, void *stack)
{
        sigset_t all, before;

        (void)stack;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pid_t pid = (pid_t)sys_result(syscall(SYS_clone, 0, 0, 0, 0, 0));
        if (pid == 0)
                function(context);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return pid;
}

/* True: the child has ended, or there is none. It is not reaped. */
static inline bool sys_has_ended(pid_t pid)
{
        siginfo_t info = {0};
        long r = sys_result(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG));

        return r < 0 ? r != -EINTR : info.si_pid != 0;
}

/* Wait until the copy has ended. */
static inline void sys_await_copy(pid_t pid)
{
        int kept = errno;

        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
                ;
        errno = kept;
}

/* O_CLOEXEC. */
static inline int sys_pipe(int ret_fds[static 2])
{
        return (int)sys_result(pipe2(ret_fds, O_CLOEXEC));
}

static inline _Noreturn void sys_exit(int code)
{
        _exit(code);
}

static inline void sys_sched_yield(void)
{
        sched_yield();
}

static inline void sys_futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *timeout)
{
        syscall(SYS_futex, word, FUTEX_WAIT, value, timeout, NULL, 0);
}

/* A timer of this thread, by the kernel's number, which sends it that signal; and when it does: in so many ns. */
static inline int sys_timer_create(int number, int *ret)
{
        struct sigevent event = {.sigev_signo = number, .sigev_notify = SIGEV_THREAD_ID};

        event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
        return (int)sys_result(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, ret));
}

static inline void sys_timer_set(int timer, uint64_t ns)
{
        const struct itimerspec value = {
                .it_value = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)}};

        syscall(SYS_timer_settime, timer, 0, &value, NULL);
}

/* SIGALRM in so many milliseconds. */
static inline void sys_alarm(unsigned ms)
{
        const struct itimerval timer = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L + 1}};

        setitimer(ITIMER_REAL, &timer, NULL);
}

static inline int sys_set_death_signal(int number)
{
        return (int)sys_result(prctl(PR_SET_PDEATHSIG, number, 0, 0, 0));
}

/* Without SA_RESTART: system calls return with EINTR. */
static inline int sys_handle_signal(int number, void (*handler)(int))
{
        const struct sigaction action = {.sa_handler = handler};

        return (int)sys_result(sigaction(number, &action, NULL));
}

/* With SA_RESTART, for handlers that change no control flow. */
static inline int sys_handle_orders(int number, void (*handler)(int, siginfo_t *, void *))
{
        const struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_RESTART | SA_SIGINFO};

        return (int)sys_result(sigaction(number, &action, NULL));
}

/* Block or unblock one signal. 0, or 1 if it was blocked before; -errno. */
static inline int sys_block_signal(int number, bool block)
{
        sigset_t set, before;

        sigemptyset(&set);
        sigaddset(&set, number);
        return sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, &before) < 0 ? -errno : sigismember(&before, number);
}

static inline bool sys_signal_is_pending(int number)
{
        sigset_t set;

        return sigpending(&set) == 0 && sigismember(&set, number) == 1;
}

static inline long sys_getrandom(void *data, size_t size)
{
        return sys_result(getrandom(data, size, GRND_NONBLOCK));
}

static inline void sys_clock_gettime(struct timespec *ret)
{
        clock_gettime(CLOCK_MONOTONIC, ret);
}

static inline uint64_t sys_page_bytes(void)
{
        return getauxval(AT_PAGESZ);
}
