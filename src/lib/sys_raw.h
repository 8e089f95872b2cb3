/* The system calls of lib/ without libc, for the preload object. Included by lib/sys, and by preload/ for its own
 * calls. x86-64 and AArch64 (AAPCS64). */
#pragma once

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

/* glibc's <sys/syscall.h> has the same names; it is not needed. */
static inline long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
        register long r10 __asm__("r10") = d;
        register long r8 __asm__("r8") = e;
        register long r9 __asm__("r9") = f;
        long result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return result;
#elif defined(__aarch64__)
        register long x8 __asm__("x8") = number;
        register long x0 __asm__("x0") = a;
        register long x1 __asm__("x1") = b;
        register long x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d;
        register long x4 __asm__("x4") = e;
        register long x5 __asm__("x5") = f;

        __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
        return x0;
#else
#error "the preload object knows the system calls of x86-64 and AArch64"
#endif
}

#define SYS_0(number) sys_call(number, 0, 0, 0, 0, 0, 0)
#define SYS_1(number, a) sys_call(number, (long)(a), 0, 0, 0, 0, 0)
#define SYS_2(number, a, b) sys_call(number, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_3(number, a, b, c) sys_call(number, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_4(number, a, b, c, d) sys_call(number, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_5(number, a, b, c, d, e) sys_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS_6(number, a, b, c, d, e, f)                                                                                \
        sys_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Nothing here touches errno, and nothing may: it lies in memory that a process of the handler may use at this moment.
 */
static inline int sys_keep_errno(void)
{
        return 0;
}

static inline void sys_restore_errno(int kept)
{
        (void)kept;
}

static inline long sys_write(int fd, const void *data, size_t size)
{
        return SYS_3(__NR_write, fd, data, size);
}

static inline long sys_pread(int fd, void *data, size_t size)
{
        return SYS_4(__NR_pread64, fd, data, size, 0);
}

static inline void sys_close(int fd)
{
        SYS_1(__NR_close, fd);
}

static inline int sys_open(const char *path)
{
        return (int)SYS_4(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
}

static inline int sys_set_cloexec(int fd)
{
        return (int)SYS_3(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC);
}

static inline int sys_dup3(int from, int to)
{
        return (int)SYS_3(__NR_dup3, from, to, O_CLOEXEC);
}

/* dup3(2) to a number that has these descriptor flags, as F_GETFD gives them. Only here. */
static inline int sys_put(int from, int to, long descriptor_flags)
{
        return (int)SYS_3(__NR_dup3, from, to, descriptor_flags & FD_CLOEXEC ? O_CLOEXEC : 0);
}

/* How many bytes can be read; -1: unknown. Only here. */
static inline int sys_readable_bytes(int fd)
{
        int bytes = -1;

        SYS_3(__NR_ioctl, fd, FIONREAD, &bytes);
        return bytes;
}

static inline int sys_move_up(int fd)
{
        int moved = (int)SYS_3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, fd + 1);

        if (moved >= 0)
                sys_close(fd);
        return moved;
}

static inline int sys_eventfd(unsigned value)
{
        return (int)SYS_2(__NR_eventfd2, value, EFD_CLOEXEC);
}

/* struct stat is the kernel's on both machines. */
static inline int sys_fstat(int fd, struct stat *ret)
{
        return (int)SYS_2(__NR_fstat, fd, ret);
}

static inline int sys_socket_option(int fd, int option, int *ret)
{
        socklen_t length = sizeof(*ret);

        return (int)SYS_5(__NR_getsockopt, fd, SOL_SOCKET, option, ret, &length);
}

/* As getsockopt(2) of SOL_SOCKET, for any value. */
static inline int sys_socket_value(int fd, int option, void *ret, socklen_t *length)
{
        return (int)SYS_5(__NR_getsockopt, fd, SOL_SOCKET, option, ret, length);
}

static inline int sys_set_socket_value(int fd, int option, const void *value, socklen_t length)
{
        return (int)SYS_5(__NR_setsockopt, fd, SOL_SOCKET, option, value, length);
}

static inline int sys_tcp_info(int fd, struct tcp_info *ret, socklen_t *length)
{
        return (int)SYS_5(__NR_getsockopt, fd, IPPROTO_TCP, TCP_INFO, ret, length);
}

/* As getsockname(2). */
static inline int sys_socket_name(int fd, struct sockaddr *ret, socklen_t *length)
{
        return (int)SYS_3(__NR_getsockname, fd, ret, length);
}

/* Two sockets of packets, connected to each other. Only here. */
static inline int sys_socket_pair(int fds[static 2])
{
        return (int)SYS_4(__NR_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
}

static inline bool sys_has_peer(int fd)
{
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);

        return SYS_3(__NR_getpeername, fd, &peer, &length) == 0;
}

static inline int sys_interface_name(int fd, uint32_t index, char name[static IF_NAMESIZE])
{
        struct ifreq request = {.ifr_ifindex = (int)index};

        int r = (int)SYS_3(__NR_ioctl, fd, SIOCGIFNAME, &request);
        if (r == 0)
                __builtin_memcpy(name, request.ifr_name, IF_NAMESIZE);
        return r;
}

static inline void sys_shutdown(int fd, int how)
{
        SYS_2(__NR_shutdown, fd, how);
}

static inline long sys_send_now(int fd, const void *data, size_t size)
{
        return SYS_6(__NR_sendto, fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

static inline long sys_receive_now(int fd, void *data, size_t size)
{
        return SYS_6(__NR_recvfrom, fd, data, size, MSG_DONTWAIT, 0, 0);
}

static inline long sys_peek_now(int fd, void *data, size_t size)
{
        return SYS_6(__NR_recvfrom, fd, data, size, MSG_DONTWAIT | MSG_PEEK, 0, 0);
}

static inline long sys_peek_harmless_now(int fd, void *data, size_t size)
{
        struct iovec range = {.iov_base = data, .iov_len = size};
        struct msghdr message = {.msg_iov = &range, .msg_iovlen = 1};
        long length = SYS_3(__NR_recvmsg, fd, &message, MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC);

        return length >= 0 && message.msg_flags & MSG_CTRUNC ? -EPROTO : length;
}

static inline int sys_accept(int fd, struct sockaddr *peer, socklen_t *length)
{
        return (int)SYS_4(__NR_accept4, fd, peer, length, SOCK_CLOEXEC);
}

static inline int sys_poll(struct pollfd *fds, unsigned count, int timeout_ms)
{
        struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

        return (int)SYS_5(__NR_ppoll, fds, count, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
}

static inline int sys_epoll_create(void)
{
        return (int)SYS_1(__NR_epoll_create1, EPOLL_CLOEXEC);
}

static inline int sys_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
        return (int)SYS_4(__NR_epoll_ctl, epoll_fd, operation, fd, event);
}

static inline int sys_epoll_wait(int epoll_fd, struct epoll_event *event)
{
        return (int)SYS_6(__NR_epoll_pwait, epoll_fd, event, 1, -1, NULL, 8);
}

static inline int sys_signalfd(int number)
{
        uint64_t set = sys_signal_bit(number);

        return (int)SYS_4(__NR_signalfd4, -1, &set, sizeof(set), SFD_CLOEXEC | SFD_NONBLOCK);
}

static inline long sys_read(int fd, void *data, size_t size)
{
        return SYS_3(__NR_read, fd, data, size);
}

static inline int sys_map_shared(int fd, size_t size, void **ret)
{
        long r = SYS_6(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (r < 0 && r > -4096)
                return (int)r;
        __builtin_memcpy(ret, &r, sizeof(r));
        return 0;
}

/* Of a file that is only read. */
static inline int sys_map_readable(int fd, size_t size, const void **ret)
{
        long r = SYS_6(__NR_mmap, 0, size, PROT_READ, MAP_SHARED, fd, 0);

        if (r < 0 && r > -4096)
                return (int)r;
        __builtin_memcpy(ret, &r, sizeof(r));
        return 0;
}

/* Memory that is shared with processes to be forked, zeroed. */
static inline int sys_map_memory(size_t size, void **ret)
{
        long r = SYS_6(__NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (r < 0 && r > -4096)
                return (int)r;
        __builtin_memcpy(ret, &r, sizeof(r));
        return 0;
}

static inline void sys_unmap(void *memory, size_t size)
{
        SYS_2(__NR_munmap, memory, size);
}

static inline pid_t sys_getpid(void)
{
        return (pid_t)SYS_0(__NR_getpid);
}

static inline pid_t sys_getppid(void)
{
        return (pid_t)SYS_0(__NR_getppid);
}

static inline pid_t sys_gettid(void)
{
        return (pid_t)SYS_0(__NR_gettid);
}

static inline void sys_signal_thread(pid_t tid, int number)
{
        SYS_3(__NR_tgkill, sys_getpid(), tid, number);
}

static inline int sys_kill(pid_t pid, int number)
{
        return (int)SYS_2(__NR_kill, pid, number);
}

static inline pid_t sys_getpgid(pid_t pid)
{
        return (pid_t)SYS_1(__NR_getpgid, pid);
}

static inline bool sys_has_ended(pid_t pid)
{
        siginfo_t info = {0};
        long r = SYS_5(__NR_waitid, P_PID, pid, &info, WEXITED | WNOWAIT | WNOHANG, NULL);

        return r < 0 ? r != -EINTR : info.si_pid != 0;
}

static inline void sys_await_copy(pid_t pid)
{
        while (SYS_4(__NR_wait4, pid, 0, __WALL, 0) == -EINTR)
                ;
}

static inline int sys_pipe(int ret_fds[static 2])
{
        return (int)SYS_2(__NR_pipe2, ret_fds, O_CLOEXEC);
}

static inline _Noreturn void sys_exit(int code)
{
        for (;;)
                SYS_1(__NR_exit_group, code);
}

static inline void sys_sched_yield(void)
{
        SYS_0(__NR_sched_yield);
}

static inline void sys_futex_wait(_Atomic uint32_t *word, uint32_t value, const struct timespec *timeout)
{
        SYS_4(__NR_futex, word, FUTEX_WAIT, value, timeout);
}

static inline void sys_alarm(unsigned ms)
{
        const struct itimerval timer = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000L + 1}};

        SYS_3(__NR_setitimer, ITIMER_REAL, &timer, 0);
}

static inline int sys_timer_create(int number, int *ret)
{
        struct sigevent event = {.sigev_signo = number, .sigev_notify = SIGEV_THREAD_ID};

        event._sigev_un._tid = sys_gettid();
        return (int)SYS_3(__NR_timer_create, CLOCK_MONOTONIC, &event, ret);
}

static inline void sys_timer_set(int timer, uint64_t ns)
{
        const struct itimerspec value = {
                .it_value = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)}};

        SYS_4(__NR_timer_settime, timer, 0, &value, NULL);
}

static inline int sys_set_death_signal(int number)
{
        return (int)SYS_5(__NR_prctl, PR_SET_PDEATHSIG, number, 0, 0, 0);
}

#if defined(__x86_64__)
/* How a signal handler returns. Debuggers and unwinders know these instructions. */
__attribute__((naked, unused)) static void sys_return_from_signal(void)
{
        __asm__("movq $15, %rax\n\tsyscall"); /* __NR_rt_sigreturn */
}
#endif

/* As the kernel has it. */
struct sys_sigaction {
        void (*handler)(int);
        unsigned long flags;
#if defined(__x86_64__)
        void (*restorer)(void);
#endif
        uint64_t mask;
};

static inline int sys_get_action(int number, struct sys_sigaction *ret)
{
        return (int)SYS_4(__NR_rt_sigaction, number, 0, ret, sizeof(ret->mask));
}

static inline int sys_set_action(int number, const struct sys_sigaction *action)
{
        return (int)SYS_4(__NR_rt_sigaction, number, action, 0, sizeof(action->mask));
}

static inline int sys_handle_signal(int number, void (*handler)(int))
{
        struct sys_sigaction action = {.handler = handler};

#if defined(__x86_64__)
        action.flags = 0x04000000; /* SA_RESTORER */
        action.restorer = sys_return_from_signal;
#endif
        return (int)SYS_4(__NR_rt_sigaction, number, &action, 0, sizeof(action.mask));
}

static inline int sys_handle_orders(int number, void (*handler)(int, siginfo_t *, void *))
{
        struct sys_sigaction action = {.flags = SA_RESTART | SA_SIGINFO};

        __builtin_memcpy(&action.handler, &handler, sizeof(handler));
#if defined(__x86_64__)
        action.flags |= 0x04000000; /* SA_RESTORER */
        action.restorer = sys_return_from_signal;
#endif
        return (int)SYS_4(__NR_rt_sigaction, number, &action, 0, sizeof(action.mask));
}

/* The signal mask is replaced; the one before is stored unless `before` is NULL. */
static inline void sys_set_mask(uint64_t mask, uint64_t *before)
{
        SYS_4(__NR_rt_sigprocmask, SIG_SETMASK, &mask, before, sizeof(mask));
}

#define SYS_COPY_STACK 2048

/* The stack of a worker that serves by rollback is not copied by fork(2). */
static inline pid_t sys_start_copy(void (*function)(void *context), void *context, void *stack)
{
        uint64_t before = 0;
        long pid;

        sys_set_mask(UINT64_MAX, &before);
#if defined(__x86_64__)
        register void (*copied_function)(void *context) __asm__("r12") = function;
        register void *copied_context __asm__("r13") = context;
        register long tid __asm__("r10") = 0;
        register long tls __asm__("r8") = 0;

        __asm__ volatile("syscall\n\t"
                         "testq %%rax, %%rax\n\t"
                         "jnz 1f\n\t"
                         "xorl %%ebp, %%ebp\n\t"
                         "movq %%r13, %%rdi\n\t"
                         "callq *%%r12\n\t"
                         "ud2\n\t"
                         "1:"
                         : "=a"(pid)
                         : "a"(__NR_clone), "D"(CLONE_VM), "S"(((uintptr_t)stack + SYS_COPY_STACK) & ~(uintptr_t)15),
                           "d"(0), "r"(tid), "r"(tls), "r"(copied_function), "r"(copied_context)
                         : "rcx", "r11", "memory");
#else
        (void)stack;
        pid = SYS_5(__NR_clone, 0, 0, 0, 0, 0);
        if (pid == 0)
                function(context);
#endif
        sys_set_mask(before, NULL);
        return (pid_t)pid;
}

static inline int sys_block_signal(int number, bool block)
{
        uint64_t set = sys_signal_bit(number), before = 0;

        int r = (int)SYS_4(__NR_rt_sigprocmask, block ? SIG_BLOCK : SIG_UNBLOCK, &set, &before, sizeof(set));
        return r < 0 ? r : (before & set) != 0;
}

static inline bool sys_signal_is_pending(int number)
{
        uint64_t set = 0;

        return SYS_2(__NR_rt_sigpending, &set, sizeof(set)) == 0 && (set & sys_signal_bit(number));
}

static inline long sys_getrandom(void *data, size_t size)
{
        return SYS_3(__NR_getrandom, data, size, 1 /* GRND_NONBLOCK */);
}

static inline void sys_clock_gettime(struct timespec *ret)
{
        SYS_2(__NR_clock_gettime, CLOCK_MONOTONIC, ret);
}

static inline uint64_t sys_page_bytes(void)
{
        return getauxval(AT_PAGESZ);
}
