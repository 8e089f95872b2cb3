/* An inetd-style handler with many ways of getting ready: `handler_ways WAY` prepares something, then touches its
 * connection in that way, and answers with one line about what it found. tests/integration/inetd_handlers.py has the
 * ways with their answers.
 *
 * What it says must be the same whether it was executed for this connection or started once for all. */
/* NOLINTBEGIN: it does what handlers do, whatever one may think of it */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static volatile sig_atomic_t seen;

static void note(int number)
{
        getppid(); /* a call in a handler */
        seen = number;
}

/* A line of the client, without its end. */
static const char *line(void)
{
        static char text[256];
        ssize_t length = read(0, text, sizeof(text) - 1);

        text[length > 0 ? length : 0] = '\0';
        text[strcspn(text, "\r\n")] = '\0';
        return text;
}

static void answer(const char *what)
{
        dprintf(1, "%s %s\n", what, line());
}

static void way_stdio(void)
{
        char text[256];

        printf("%s", fgets(text, sizeof(text), stdin) ? text : "nothing");
}

static void way_speak(void)
{
        dprintf(1, "hello\n");
        answer("and");
}

static void way_mask(void)
{
        sigset_t set;
        struct sigaction action;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGUSR1, note);
        raise(SIGUSR1);
        const char *text = line();
        sigprocmask(SIG_BLOCK, NULL, &set);
        sigaction(SIGUSR1, NULL, &action);
        dprintf(1, "%s term %d sys %d handler %d seen %d\n", text, sigismember(&set, SIGTERM),
                sigismember(&set, SIGSYS), action.sa_handler == note, seen == SIGUSR1);
}

/* Handlers of signals that the worker has uses of its own for, and of others. */
static void way_handlers(void)
{
        const int numbers[] = {SIGTERM, SIGALRM,  SIGUSR2, SIGPIPE,      SIGCHLD, SIGSEGV,
                               SIGBUS,  SIGWINCH, SIGTSTP, SIGRTMIN + 3, SIGRTMAX};
        struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART}, found;

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                sigaction(numbers[i], &action, NULL);
        const char *text = line();
        dprintf(1, "%s without:", text);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                if (sigaction(numbers[i], NULL, &found) < 0 || found.sa_handler != note ||
                    !(found.sa_flags & SA_RESTART))
                        dprintf(1, " %d", numbers[i]);
        dprintf(1, "\n");
}

/* Everything is blocked, SIGSYS with it, also in the eyes of the program. */
static void way_block_all(void)
{
        sigset_t set, found;

        sigfillset(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
        getppid();
        sigprocmask(SIG_BLOCK, NULL, &found);
        int before = sigismember(&found, SIGSYS);
        const char *text = line();
        sigprocmask(SIG_BLOCK, NULL, &found);
        dprintf(1, "%s %d %d\n", text, before, sigismember(&found, SIGSYS));
}

/* Handlers that run with everything blocked. */
static void way_full_handler(void)
{
        struct sigaction action = {.sa_handler = note}, found;

        sigfillset(&action.sa_mask);
        sigaction(SIGUSR1, &action, NULL);
        raise(SIGUSR1);
        sigaction(SIGUSR1, NULL, &found);
        int before = sigismember(&found.sa_mask, SIGSYS);
        const char *text = line();
        sigaction(SIGUSR1, NULL, &found);
        dprintf(1, "%s %d %d %d\n", text, seen == SIGUSR1, before, sigismember(&found.sa_mask, SIGSYS));
}

static void way_own_sigsys(void)
{
        struct sigaction found;

        signal(SIGSYS, note);
        sigaction(SIGSYS, NULL, &found);
        int before = found.sa_handler == note;
        raise(SIGSYS);
        int raised = seen == SIGSYS;
        seen = 0;
        const char *text = line();
        sigaction(SIGSYS, NULL, &found);
        raise(SIGSYS);
        dprintf(1, "%s %d %d %d %d\n", text, before, raised, found.sa_handler == note, seen == SIGSYS);
}

/* A wait for a signal, with a mask that has SIGSYS. */
static void way_suspend(void)
{
        struct itimerval soon = {.it_value.tv_usec = 20000};
        sigset_t set;

        signal(SIGALRM, note);
        sigfillset(&set);
        sigdelset(&set, SIGALRM);
        setitimer(ITIMER_REAL, &soon, NULL);
        sigsuspend(&set);
        answer(seen == SIGALRM ? "woken" : "not woken");
}

/* A blocked call that a signal interrupts, and that goes on. */
static void way_restart(void)
{
        struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
        struct itimerval soon = {.it_value.tv_usec = 20000};
        pid_t pid = fork();

        if (pid == 0) {
                usleep(100000);
                _exit(7);
        }
        int status = 0;
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &soon, NULL);
        pid_t r = waitpid(pid, &status, 0);
        answer(r == pid && WEXITSTATUS(status) == 7 && seen == SIGALRM ? "restarted" : "lost");
}

static void way_pending(void)
{
        sigset_t set;

        signal(SIGUSR1, note);
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGUSR1);
        const char *text = line();
        int before = seen;
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        dprintf(1, "%s %d %d\n", text, before == 0, seen == SIGUSR1);
}

static void way_poll(void)
{
        struct pollfd idle[3] = {{.fd = 0}, {.fd = 1}, {.fd = 2}}, fd = {.fd = 0, .events = POLLIN};

        int none = poll(idle, 3, 0); /* are they open? */
        int one = poll(&fd, 1, -1);
        dprintf(1, "%s %d %d\n", line(), none, one);
}

static void way_ppoll(void)
{
        struct pollfd fd = {.fd = 0, .events = POLLIN};
        sigset_t set;

        sigfillset(&set);
        int r = ppoll(&fd, 1, NULL, &set);
        dprintf(1, "%s %d\n", line(), r);
}

static void way_select(void)
{
        struct timespec moment = {.tv_nsec = 1000000};
        fd_set set;
        sigset_t mask;

        sigfillset(&mask);
        FD_ZERO(&set);
        pselect(0, NULL, NULL, NULL, &moment, &mask);
        FD_SET(0, &set);
        int r = select(1, &set, NULL, NULL, NULL);
        dprintf(1, "%s %d\n", line(), r);
}

/* The set is made before the touch, with something else in it. */
static void way_epoll(void)
{
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = 7}, found[4];
        int set = epoll_create1(EPOLL_CLOEXEC);
        int other = socket(AF_UNIX, SOCK_DGRAM, 0);

        epoll_ctl(set, EPOLL_CTL_ADD, other, &(struct epoll_event){.events = EPOLLIN, .data.u32 = 9});
        epoll_ctl(set, EPOLL_CTL_ADD, 0, &event);
        int r = epoll_wait(set, found, 4, 10000);
        int again = epoll_ctl(set, EPOLL_CTL_ADD, other, &event) < 0 ? errno : 0;
        dprintf(1, "%s %d %u %d\n", line(), r, found[0].data.u32, again == EEXIST);
}

static void way_peer(void)
{
        struct sockaddr_storage peer = {0};
        socklen_t length = sizeof(peer);

        int r = getpeername(0, (struct sockaddr *)&peer, &length);
        dprintf(1, "%s %d family %d\n", line(), r, peer.ss_family);
}

static void way_option(void)
{
        int on = 1, found = 0;
        socklen_t length = sizeof(found);

        int r = setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        getsockopt(1, SOL_SOCKET, SO_KEEPALIVE, &found, &length);
        dprintf(1, "%s %d %d\n", line(), r, found);
}

static void way_nonblock(void)
{
        int before = fcntl(0, F_GETFL);

        fcntl(0, F_SETFL, before | O_NONBLOCK);
        struct pollfd fd = {.fd = 0, .events = POLLIN};
        poll(&fd, 1, 10000);
        dprintf(1, "%s %d %d\n", line(), !!(before & O_NONBLOCK), !!(fcntl(1, F_GETFL) & O_NONBLOCK));
}

static void way_dup(void)
{
        int copy = dup(0), high = fcntl(1, F_DUPFD_CLOEXEC, 50);

        close(0);
        close(1);
        dup2(copy, 0);
        dprintf(high, "%s %d\n", line(), high >= 50);
}

/* Close-on-exec, set before the touch, stays on each descriptor. */
static void way_cloexec(void)
{
        fcntl(0, F_SETFD, FD_CLOEXEC);
        const char *text = line();
        dprintf(1, "%s %d %d\n", text, fcntl(0, F_GETFD), fcntl(1, F_GETFD));
}

static timer_t make_timer(int number)
{
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number};
        timer_t timer;

        timer_create(CLOCK_MONOTONIC, &event, &timer);
        return timer;
}

static void way_timers(void)
{
        struct itimerspec soon = {.it_value.tv_nsec = 200000000}, left = {0};

        signal(SIGUSR2, note);
        timer_t first = make_timer(SIGUSR1), second = make_timer(SIGUSR2);
        timer_delete(first);
        alarm(60);
        timer_settime(second, 0, &soon, NULL);
        const char *text = line();
        timer_gettime(second, &left);
        for (int i = 0; i < 1000 && seen != SIGUSR2; i++)
                usleep(10000);
        unsigned seconds = alarm(0);
        dprintf(1, "%s alarm %d timer %d fired %d deleted %d\n", text, seconds > 30 && seconds <= 60,
                left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 200000000, seen == SIGUSR2, timer_delete(second));
}

/* What libc thinks of its thread: a mutex that looks at its owner, and fork(3). */
static void way_thread_id(void)
{
        pthread_mutexattr_t attributes;
        pthread_mutex_t mutex;
        int status = 0;

        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
        const char *text = line();
        pthread_mutex_init(&mutex, &attributes);
        pthread_mutex_lock(&mutex);
        int owner = mutex.__data.__owner;
        pid_t pid = fork();
        if (pid == 0) {
                pthread_mutex_init(&mutex, &attributes);
                pthread_mutex_lock(&mutex);
                _exit(mutex.__data.__owner == gettid() && gettid() == getpid() ? 5 : 6);
        }
        waitpid(pid, &status, 0);
        dprintf(1, "%s %d %d %d\n", text, owner == gettid(), gettid() == getpid(), WEXITSTATUS(status));
}

static void way_processes(void)
{
        int status[3] = {0};
        pid_t pid;

        pid = fork();
        if (pid == 0)
                _exit(3);
        waitpid(pid, &status[0], 0);
        pid = vfork();
        if (pid == 0) {
                execl("/bin/sh", "sh", "-c", "exit 4", NULL);
                _exit(9);
        }
        waitpid(pid, &status[1], 0);
        char shell[] = "sh", option[] = "-c", command[] = "exit 5";
        char *const arguments[] = {shell, option, command, NULL};
        posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environ);
        waitpid(pid, &status[2], 0);
        int system_status = system("exit 6");
        dprintf(1, "%s %d %d %d %d\n", line(), WEXITSTATUS(status[0]), WEXITSTATUS(status[1]), WEXITSTATUS(status[2]),
                WEXITSTATUS(system_status));
}

/* Wants every descriptor closed, by all the means there are. */
static void way_close_all(void)
{
        closefrom(3);
        for (int fd = 3; fd < 300; fd++)
                close(fd);
        close_range(3, ~0U, 0);
        answer("closed");
}

/* Wants numbers for its own. */
static void way_take_numbers(void)
{
        int null = open("/dev/null", O_RDWR), count = 0;

        for (int fd = 3; fd < 300; fd++)
                count += dup2(null, fd) == fd;
        for (int fd = 3; fd < 300; fd++)
                count += fcntl(fd, F_GETFD) >= 0;
        answer(count == 2 * 297 ? "taken" : "kept");
}

/* Wants all descriptors closed but for the exec. */
static void way_range_cloexec(void)
{
        close_range(0, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
        const char *text = line();
        dprintf(1, "%s %d %d\n", text, fcntl(0, F_GETFD), fcntl(1, F_GETFD));
}

/* The offset of a file that was open before, also by two descriptors. */
static void way_offset(void)
{
        char text[3][3] = {"", "", ""};
        int file = open(getenv("WAYS_FILE"), O_RDONLY | O_CLOEXEC), same = dup(file);

        ssize_t sum = read(file, text[0], 2);
        const char *sent = line();
        sum += read(file, text[1], 2);
        sum += read(same, text[2], 2);
        dprintf(1, "%s %zd %s%s%s %d\n", sent, sum, text[0], text[1], text[2], fcntl(file, F_GETFD));
}

static void way_close(void)
{
        close(0);
        int again = dup(1); /* the number that is free */
        answer(again == 0 ? "closed" : "open");
}

/* Hands the connection to somebody over a socket, before it has looked at it. */
static void way_send_fd(void)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        char byte = 'x';
        struct iovec data = {&byte, 1};
        struct msghdr message = {.msg_iov = &data,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        int pair[2], fd = 0;

        socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
        control.align =
                (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
        sendmsg(pair[0], &message, 0);
        recvmsg(pair[1], &message, 0);
        memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
        const char *text = line();
        dprintf(fd, "%s received\n", text);
}

/* io_uring may be there or not: what matters is that reading works. */
static void way_uring(void)
{
        char parameters[120] = "";

        syscall(SYS_io_uring_setup, 0, parameters);
        answer("read");
}

/* --- what cannot be copied --- */

static void *sleep_long(void *argument)
{
        sleep(1000);
        return argument;
}

static void way_thread(void)
{
        pthread_t thread;

        pthread_create(&thread, NULL, sleep_long, NULL);
        answer("threaded");
}

static void *return_at_once(void *argument)
{
        return argument;
}

static void way_joined_thread(void)
{
        pthread_t thread;

        pthread_create(&thread, NULL, return_at_once, NULL);
        pthread_join(thread, NULL);
        answer("joined");
}

static void way_child(void)
{
        if (fork() == 0) {
                alarm(3);
                close(0);
                close(1);
                pause();
                _exit(0);
        }
        answer("child");
}

static void way_zombie(void)
{
        if (fork() == 0)
                _exit(0);
        answer("zombie");
}

static void way_child_reads(void)
{
        pid_t pid = fork();

        if (pid == 0) {
                dprintf(1, "%s read by a child\n", line());
                _exit(0);
        }
        waitpid(pid, NULL, 0);
        dprintf(1, "and done\n");
}

static void way_lock(void)
{
        struct flock lock = {.l_type = F_RDLCK};
        int file = open(getenv("WAYS_FILE"), O_RDONLY);

        fcntl(file, F_SETLK, &lock);
        answer("locked");
}

static void way_temporary(void)
{
        FILE *file = tmpfile();

        fprintf(file, "x");
        fflush(file);
        answer("temporary");
}

/* What `fd` gives at once, as a number; -1: nothing. */
static int first_byte(int fd)
{
        uint64_t bytes = 0;

        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        return read(fd, &bytes, sizeof(bytes)) > 0 ? (int)(bytes & 0xff) : -1;
}

static void give(int fd, const void *data, size_t size)
{
        if (write(fd, data, size) != (ssize_t)size)
                dprintf(1, "cannot write to %d\n", fd);
}

/* What it has open to talk to itself, of which each copy writes into its own and hears itself alone. */
static void way_channels(void)
{
        const uint64_t one = 1;
        int ends[2], pair[2], event = eventfd(3, EFD_CLOEXEC | EFD_NONBLOCK), errors = dup(2), set = epoll_create1(0);
        struct epoll_event found = {0};

        if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
                return;
        int again = dup(ends[1]), flags = fcntl(ends[0], F_GETFL);
        epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){.events = EPOLLIN, .data.u32 = 5});
        const char *words = line();
        char byte = (char)(getpid() & 0x7f);
        int before = first_byte(ends[0]), kept = first_byte(event), same_flags = fcntl(ends[0], F_GETFL) == flags;
        give(again, &byte, 1);
        give(pair[1], &byte, 1);
        give(event, &one, sizeof(one));
        give(errors, "to stderr\n", 10);
        int ready = epoll_wait(set, &found, 1, 0);
        dprintf(1, "%s %d %d %d %d %d %d %d %d\n", words, before, kept, same_flags, ready, (int)found.data.u32,
                first_byte(ends[0]) == byte, first_byte(pair[0]) == byte, first_byte(event));
}

/* A child, or an earlier copy, would have taken it out. */
static void way_pipe(void)
{
        int ends[2];

        answer(pipe(ends) == 0 && write(ends[1], "x", 1) == 1 ? "pipe" : "no pipe");
}

static void way_socket(void)
{
        int ends[2], r = socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

        close(ends[1]);
        answer(r == 0 ? "socket" : "no socket");
}

static void way_filter(void)
{
        struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
        struct sock_fprog program = {.len = 1, .filter = &allow};

        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        answer(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? "filter" : "no filter");
}

static void way_aio(void)
{
        unsigned long context = 0;

        answer(syscall(SYS_io_setup, 1, &context) == 0 ? "aio" : "no aio");
}

static const struct way {
        const char *name;
        void (*go)(void);
} ways[] = {
        {"stdio", way_stdio},
        {"speak", way_speak},
        {"mask", way_mask},
        {"handlers", way_handlers},
        {"block_all", way_block_all},
        {"full_handler", way_full_handler},
        {"own_sigsys", way_own_sigsys},
        {"suspend", way_suspend},
        {"restart", way_restart},
        {"pending", way_pending},
        {"poll", way_poll},
        {"ppoll", way_ppoll},
        {"select", way_select},
        {"epoll", way_epoll},
        {"peer", way_peer},
        {"option", way_option},
        {"nonblock", way_nonblock},
        {"dup", way_dup},
        {"cloexec", way_cloexec},
        {"timers", way_timers},
        {"thread_id", way_thread_id},
        {"processes", way_processes},
        {"close_all", way_close_all},
        {"take_numbers", way_take_numbers},
        {"range_cloexec", way_range_cloexec},
        {"offset", way_offset},
        {"close", way_close},
        {"send_fd", way_send_fd},
        {"uring", way_uring},
        {"thread", way_thread},
        {"joined_thread", way_joined_thread},
        {"child", way_child},
        {"zombie", way_zombie},
        {"child_reads", way_child_reads},
        {"lock", way_lock},
        {"temporary", way_temporary},
        {"channels", way_channels},
        {"pipe", way_pipe},
        {"socket", way_socket},
        {"filter", way_filter},
        {"aio", way_aio},
};

int main(int argc, char **argv)
{
        for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++)
                if (strcmp(argv[1], ways[i].name) == 0) {
                        ways[i].go();
                        return 0;
                }
        fprintf(stderr, "usage: handler_ways WAY\n");
        return 2;
}
/* NOLINTEND */
