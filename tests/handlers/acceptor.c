/* A program that accepts its connections itself, in the way that its first argument names: `api` (libprefork), `plain`
 * (accept on descriptor 3, or on the one that the second argument names; `liar`: not at all), `poll`, `select` or
 * `epoll` before it; `edge`: epoll that tells of each change once, and accept4 that does not block, until nothing is
 * left; `all`: on every listener that it was given, by accept if that is one and by poll otherwise; `polite`: so too,
 * and on TERM it finishes its request and ends, as programs do that know nothing of a supervisor.
 *
 * What it does with a connection is said by the arguments that follow, or else by a line that the client sends; see the
 * table of commands. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "prefork/scoreboard.h"
#include "prefork/worker.h"

extern char **environ;

static struct prefork_worker *worker;
static int listener = 3;
static int listeners = 1; /* from `listener` on */
static const char *way;
static volatile sig_atomic_t told_to_end;
static int errno_after_accept; /* UNTOUCHED after a success: some programs rely on it */
#define UNTOUCHED 77

static void do_echo(int fd, const char *argument)
{
        char bytes[4096];
        ssize_t length;

        (void)argument;
        while ((length = read(fd, bytes, sizeof(bytes))) > 0)
                if (write(fd, bytes, (size_t)length) < 0)
                        return;
}

static void do_pid(int fd, const char *argument)
{
        (void)argument;
        dprintf(fd, "%d", (int)getpid());
}

/* Descriptors, one a line, as "NUMBER KIND", without the connection and the directory that is read for it. */
static void report_descriptors(int fd)
{
        DIR *directory = opendir("/proc/self/fd");
        struct dirent *entry;

        while (directory && (entry = readdir(directory))) {
                int number = (int)strtol(entry->d_name, NULL, 10), is_listening = 0;
                socklen_t size = sizeof(is_listening);
                struct stat status;
                if (entry->d_name[0] == '.' || number == fd || number == dirfd(directory) || fstat(number, &status) < 0)
                        continue;
                getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size);
                dprintf(fd, "fd %d %s\n", number,
                        is_listening               ? "listener"
                        : S_ISSOCK(status.st_mode) ? "socket"
                        : S_ISFIFO(status.st_mode) ? "pipe"
                                                   : "file");
        }
        if (directory)
                closedir(directory);
}

static void do_report(int fd, const char *argument)
{
        sigset_t blocked;

        (void)argument;
        dprintf(fd, "pid %d\nparent %d\nerrno %d\n", (int)getpid(), (int)getppid(), errno_after_accept);
        sigprocmask(SIG_BLOCK, NULL, &blocked);
        for (int i = 1; i < 32; i++)
                if (sigismember(&blocked, i) == 1)
                        dprintf(fd, "blocked %d\n", i);
        for (char **variable = environ; *variable; variable++)
                dprintf(fd, "env %s\n", *variable);
        report_descriptors(fd);
}

static long long now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void wait_ms(long ms)
{
        struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

static void do_sleep(int fd, const char *argument)
{
        long ms = strtol(argument, NULL, 10);
        struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        dprintf(fd, "begun\n");
        dprintf(fd, nanosleep(&left, NULL) == 0 ? "slept" : "cut short");
}

/* What handler_wait does. */
static void do_wait(int fd, const char *argument)
{
        long long begun_ns = now_ns();
        char bytes[4096];
        ssize_t length;

        if (strcmp(argument, "-") != 0)
                wait_ms(strtol(argument, NULL, 10));
        else
                do
                        length = read(fd, bytes, sizeof(bytes));
                while (length > 0 || (length < 0 && errno == EINTR));
        dprintf(fd, "%d %d %lld %lld\n", (int)getpid(), (int)getpid(), begun_ns, now_ns());
}

static void do_stubborn(int fd, const char *argument)
{
        (void)argument;
        signal(SIGTERM, SIG_IGN);
        dprintf(fd, "begun\n");
        for (;;)
                pause();
}

static void do_leak(int fd, const char *argument)
{
        size_t size = (size_t)strtol(argument, NULL, 10) << 20;
        volatile char *memory = malloc(size);

        for (size_t at = 0; memory && at < size; at += 1024)
                memory[at] = 1;
        dprintf(fd, memory ? "%d" : "no memory", (int)getpid());
}

static void do_exit(int fd, const char *argument)
{
        dprintf(fd, "%d", (int)getpid());
        exit((int)strtol(argument, NULL, 10));
}

static void do_crash(int fd, const char *argument)
{
        (void)fd;
        raise((int)strtol(argument, NULL, 10));
}

/* What the client gets is a descriptor that replaces the connection, or its end by other means than close(). */
static void do_end(int fd, const char *argument)
{
        dprintf(fd, "%d", (int)getpid());
        int null_fd = open("/dev/null", O_RDWR);
        if (strcmp(argument, "dup2") == 0)
                dup2(null_fd, fd);
        else if (strcmp(argument, "dup3") == 0)
                dup3(null_fd, fd, O_CLOEXEC);
        else if (strcmp(argument, "close_range") == 0)
                close_range((unsigned)fd, (unsigned)fd, 0);
        else if (strcmp(argument, "_exit") == 0)
                _exit(0);
        close(null_fd);
}

/* A child that lives on when its parent has gone back to accept, and comes there itself. */
static void do_fork(int fd, const char *argument)
{
        (void)argument;
        pid_t pid = fork();
        if (pid == 0)
                return;
        dprintf(fd, "%d", (int)pid);
        int status;
        waitpid(pid, &status, 0);
}

/* A program that the handler executes: what it finds in its environment, and which descriptors. */
static void do_child(int fd, const char *argument)
{
        (void)argument;
        pid_t pid = fork();
        if (pid == 0) {
                dup2(fd, STDOUT_FILENO);
                execl("/bin/sh", "sh", "-c", "env; ls /proc/self/fd | sed 's/^/fd /'", (char *)NULL);
                _exit(127);
        }
        int status;
        waitpid(pid, &status, 0);
}

static const struct command {
        const char *name;
        void (*run)(int fd, const char *argument);
} commands[] = {
        {"echo", do_echo}, {"pid", do_pid},     {"report", do_report}, {"sleep", do_sleep},
        {"leak", do_leak}, {"exit", do_exit},   {"crash", do_crash},   {"end", do_end},
        {"fork", do_fork}, {"child", do_child}, {"wait", do_wait},     {"stubborn", do_stubborn},
};

static const struct command *find_command(const char *name)
{
        for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

/* One byte at a time: what follows the line is for the command. */
static bool read_line(int fd, char *line, size_t size)
{
        size_t length = 0;

        while (length + 1 < size) {
                ssize_t n = read(fd, line + length, 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 1 || line[length] == '\n')
                        break;
                length++;
        }
        line[length] = '\0';
        return length > 0;
}

/* What the client asks for. */
static void serve_line(int fd)
{
        char line[128];

        if (!read_line(fd, line, sizeof(line)))
                return;
        char *argument = strchr(line, ' ');
        if (argument)
                *argument++ = '\0';
        const struct command *command = find_command(line);
        if (command)
                command->run(fd, argument ? argument : "");
}

static void on_term(int number)
{
        (void)number;
        told_to_end = 1;
}

/* From now on TERM ends the program where it waits, and nowhere else. */
static void be_polite(void)
{
        struct sigaction action = {.sa_handler = on_term};
        sigset_t term;

        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_BLOCK, &term, NULL);
        sigaction(SIGTERM, &action, NULL);
        for (int i = 0; i < listeners; i++)
                fcntl(listener + i, F_SETFL, fcntl(listener + i, F_GETFL) | O_NONBLOCK);
}

/* A connection on any listener; -EINTR: none. */
static int accept_any(bool is_polite)
{
        struct pollfd pollers[16];
        sigset_t none;

        sigemptyset(&none);
        for (int i = 0; i < listeners; i++)
                pollers[i] = (struct pollfd){.fd = listener + i, .events = POLLIN};
        sigset_t pending;
        if (is_polite && sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1)
                exit(0); /* ppoll delivers no signal while something is readable */
        if (ppoll(pollers, (nfds_t)listeners, NULL, is_polite ? &none : NULL) < 0 && errno != EINTR)
                return -errno;
        if (told_to_end)
                exit(0);
        for (int i = 0; i < listeners; i++) {
                int fd = pollers[i].revents ? accept(listener + i, NULL, NULL) : -1;
                if (fd >= 0) {
                        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
                        return fd;
                }
                if (pollers[i].revents && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                        return -errno;
        }
        return -EINTR;
}

/* The next connection of an edge: the set tells of it once, so all that wait are accepted before the next wait. */
static int accept_edge(void)
{
        static int epoll_fd = -1;
        struct epoll_event event = {.events = EPOLLIN | EPOLLET};

        if (epoll_fd < 0) {
                epoll_fd = epoll_create1(EPOLL_CLOEXEC);
                fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
                epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
        }
        for (;;) {
                int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd >= 0)
                        return fd;
                if (errno != EAGAIN)
                        return -errno;
                epoll_wait(epoll_fd, &event, 1, -1);
        }
}

static void wait_readable(void)
{
        if (strcmp(way, "poll") == 0) {
                struct pollfd poller = {.fd = listener, .events = POLLIN};
                poll(&poller, 1, 500);
        } else if (strcmp(way, "select") == 0) {
                fd_set set;
                FD_ZERO(&set);
                FD_SET(listener, &set);
                select(listener + 1, &set, NULL, NULL, NULL);
        } else if (strcmp(way, "epoll") == 0) {
                static int epoll_fd = -1;
                struct epoll_event event = {.events = EPOLLIN};
                if (epoll_fd < 0) {
                        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
                        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
                }
                epoll_wait(epoll_fd, &event, 1, -1);
        }
}

static int accept_next(void)
{
        if (worker)
                return prefork_accept(worker, NULL, NULL);
        if (strcmp(way, "polite") == 0 || (strcmp(way, "all") == 0 && listeners > 1))
                return accept_any(strcmp(way, "polite") == 0);
        if (strcmp(way, "edge") == 0)
                return accept_edge();
        wait_readable();
        errno = UNTOUCHED;
        int fd = accept(listener, NULL, NULL);
        errno_after_accept = errno;
        return fd < 0 ? -errno : fd;
}

/* Claim many requests, and end. */
static int lie(void)
{
        const char *board_fd = getenv("PREFORK_SCOREBOARD_FD"), *slot = getenv("PREFORK_SLOT");
        struct prefork_scoreboard *board = board_fd ? mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED,
                                                           (int)strtol(board_fd, NULL, 10), 0)
                                                    : MAP_FAILED;

        if (board == MAP_FAILED || !slot)
                return 1;
        struct prefork_slot *words = &board->slots[(int)strtol(slot, NULL, 10)];
        atomic_store(&words->requests_begun, UINT64_C(1) << 40);
        atomic_store(&words->requests_ended, UINT64_C(1) << 40);
        atomic_store(&words->activity, PREFORK_IDLE);
        return 0;
}

/* WAY FD COMMAND ARGUMENT */
int main(int argc, char **argv)
{
        const char *given = getenv("LISTEN_FDS");

        way = argc > 1 ? argv[1] : "api";
        listener = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 3;
        listeners = given && strtol(given, NULL, 10) < 16 ? (int)strtol(given, NULL, 10) : 1;
        const struct command *command = argc > 3 ? find_command(argv[3]) : NULL;
        if (strcmp(way, "liar") == 0)
                return lie();
        int r = strcmp(way, "api") == 0 ? prefork_attach(&worker) : 0;
        if (r < 0) {
                fprintf(stderr, "cannot attach: %s\n", strerror(-r));
                return 1;
        }
        if (strcmp(way, "polite") == 0)
                be_polite();
        for (;;) {
                int fd = accept_next();
                if (fd == -EINTR)
                        continue;
                if (fd < 0)
                        return fd == -ESHUTDOWN ? 0 : 3;
                if (command)
                        command->run(fd, argc > 4 ? argv[4] : "");
                else
                        serve_line(fd);
                close(fd);
                if (worker)
                        prefork_done(worker);
        }
}
