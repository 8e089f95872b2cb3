/* A module that does to its worker what it must not. Each client says what, in one line, and is answered "begun" first.
 *
 *     echo TEXT      nothing bad: answers TEXT
 *     pid            nothing bad: answers the worker's pid
 *     …              see the table at the end */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prefork/module.h"

static jmp_buf in_init;
static int kept[16];
static size_t kept_count;

static int crash(const struct prefork_request *request)
{
        (void)request;
        raise(SIGSEGV);
        return 0;
}

static int end_with_exit(const struct prefork_request *request)
{
        (void)request;
        exit(0);
}

static int end_with_quick_exit(const struct prefork_request *request)
{
        (void)request;
        _exit(0);
}

static int end_as_ordered(const struct prefork_request *request)
{
        (void)request;
        _exit(12); /* what a worker exits with that was told to end */
}

static int end_thread(const struct prefork_request *request)
{
        (void)request;
        pthread_exit(NULL);
}

static void *idle_thread(void *context)
{
        for (;;)
                pause();
        return context;
}

static int end_first_thread(const struct prefork_request *request)
{
        pthread_t thread;

        pthread_create(&thread, NULL, idle_thread, NULL);
        return end_thread(request);
}

static int close_connection(const struct prefork_request *request)
{
        close(request->connection);
        return 0;
}

/* The number of the connection is that of an open file of ours afterwards, which must stay open. */
static int replace_connection(const struct prefork_request *request)
{
        close(request->connection);
        int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        if (fd != request->connection)
                abort();
        kept[kept_count++ % 16] = fd;
        return 0;
}

static int is_kept_open(const struct prefork_request *request)
{
        for (size_t i = 0; i < kept_count && i < 16; i++)
                dprintf(request->connection, "%s\n", fcntl(kept[i], F_GETFD) < 0 ? "closed" : "open");
        return 0;
}

static int keep_copy(const struct prefork_request *request)
{
        kept[kept_count++ % 16] = fcntl(request->connection, F_DUPFD_CLOEXEC, 0);
        return 0;
}

static int close_others(const struct prefork_request *request)
{
        for (int fd = 3; fd < 1024; fd++)
                if (fd != request->connection)
                        close(fd);
        return 0;
}

static int close_everything(const struct prefork_request *request)
{
        (void)request;
        for (int fd = 0; fd < 1024; fd++)
                close(fd);
        return 0;
}

static int close_standard(const struct prefork_request *request)
{
        (void)request;
        close(0);
        close(1);
        close(2);
        return 0;
}

static bool is_listener(int fd)
{
        int value = 0;
        socklen_t length = sizeof(value);

        return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value;
}

static int close_listener(const struct prefork_request *request)
{
        (void)request;
        for (int fd = 3; fd < 1024; fd++)
                if (is_listener(fd))
                        close(fd);
        return 0;
}

static int replace_listener(const struct prefork_request *request)
{
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)request;
        for (int fd = 3; fd < 1024; fd++)
                if (is_listener(fd))
                        dup2(null_fd, fd);
        close(null_fd);
        return 0;
}

/* All pipes: those on which the worker speaks to its master. */
static int close_pipes(const struct prefork_request *request)
{
        (void)request;
        for (int fd = 3; fd < 1024; fd++)
                if (fcntl(fd, F_GETPIPE_SZ) > 0)
                        close(fd);
        return 0;
}

/* Not even the number of the connection is free afterwards. */
static int leak_descriptors(const struct prefork_request *request)
{
        close(request->connection);
        while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
                ;
        return 0;
}

/* The child comes back from serve() as if it were the worker. */
static int fork_and_return(const struct prefork_request *request)
{
        pid_t pid = fork();

        if (pid > 0)
                dprintf(request->connection, "%ld\n", (long)pid);
        return pid < 0 ? -errno : 0;
}

static int fork_and_stay(const struct prefork_request *request)
{
        pid_t pid = fork();

        if (pid == 0) {
                close(request->connection);
                sleep(1000);
                _exit(0);
        }
        dprintf(request->connection, "%ld\n", (long)pid);
        return 0;
}

static int block_signals(const struct prefork_request *request)
{
        sigset_t all;

        (void)request;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        return 0;
}

static int block_signals_and_hang(const struct prefork_request *request)
{
        block_signals(request);
        for (;;)
                sleep(1000);
}

static int ignore_signals(const struct prefork_request *request)
{
        (void)request;
        for (int number = 1; number < NSIG; number++)
                if (number != SIGSEGV)
                        signal(number, SIG_IGN);
        return 0;
}

static void on_signal(int number)
{
        (void)number;
}

static int handle_signals(const struct prefork_request *request)
{
        (void)request;
        for (int number = 1; number < NSIG; number++)
                signal(number, on_signal);
        return 0;
}

static int jump_into_init(const struct prefork_request *request)
{
        (void)request;
        longjmp(in_init, 1);
}

static int change_user(const struct prefork_request *request)
{
        return setresuid(65533, 65533, 65533) < 0 ? (dprintf(request->connection, "%d\n", errno), 0) : 0;
}

static int forget_parent(const struct prefork_request *request)
{
        (void)request;
        prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
        return 0;
}

static int stop_itself(const struct prefork_request *request)
{
        (void)request;
        raise(SIGSTOP);
        return 0;
}

static int hang(const struct prefork_request *request)
{
        (void)request;
        for (;;)
                sleep(1000);
}

static int spin(const struct prefork_request *request)
{
        (void)request;
        for (volatile unsigned long i = 0;; i++)
                ;
}

static int fail(const struct prefork_request *request)
{
        (void)request;
        return -EHOSTDOWN;
}

static int fail_oddly(const struct prefork_request *request)
{
        (void)request;
        return 70000;
}

static int smash(const struct prefork_request *request)
{
        (void)request;
        for (volatile char *at = (volatile char *)__builtin_frame_address(0);; at += 8)
                *at = 1;
}

static const struct {
        const char *name;
        int (*act)(const struct prefork_request *request);
} acts[] = {
        {"crash", crash},
        {"exit", end_with_exit},
        {"quick exit", end_with_quick_exit},
        {"exit as ordered", end_as_ordered},
        {"end thread", end_thread},
        {"end first thread", end_first_thread},
        {"close connection", close_connection},
        {"replace connection", replace_connection},
        {"is kept open", is_kept_open},
        {"keep copy", keep_copy},
        {"close others", close_others},
        {"close everything", close_everything},
        {"close standard", close_standard},
        {"close listener", close_listener},
        {"replace listener", replace_listener},
        {"close pipes", close_pipes},
        {"leak descriptors", leak_descriptors},
        {"fork and return", fork_and_return},
        {"fork and stay", fork_and_stay},
        {"block signals", block_signals},
        {"block signals and hang", block_signals_and_hang},
        {"ignore signals", ignore_signals},
        {"handle signals", handle_signals},
        {"jump into init", jump_into_init},
        {"change user", change_user},
        {"forget parent", forget_parent},
        {"stop itself", stop_itself},
        {"hang", hang},
        {"spin", spin},
        {"fail", fail},
        {"fail oddly", fail_oddly},
        {"smash", smash},
};

static int serve(void *state, const struct prefork_request *request)
{
        char line[256] = "";
        ssize_t length = read(request->connection, line, sizeof(line) - 1);

        (void)state;
        if (length <= 0)
                return 0;
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "pid") == 0)
                return dprintf(request->connection, "%ld\n", (long)getpid()) < 0 ? -errno : 0;
        if (strncmp(line, "echo ", 5) == 0)
                return dprintf(request->connection, "%s\n", line + 5) < 0 ? -errno : 0;
        for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                if (strcmp(line, acts[i].name) == 0) {
                        dprintf(request->connection, "begun\n");
                        return acts[i].act(request);
                }
        dprintf(request->connection, "what is \"%s\"?\n", line);
        return -EINVAL;
}

static int init(int argc, char *const *argv, void **ret_state)
{
        (void)argc;
        (void)argv;
        *ret_state = NULL;
        if (setjmp(in_init) != 0)
                return 0;
        return 0;
}

PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {PREFORK_MODULE_HEADER, .name = "misbehave",
                                                                    .init = init, .serve = serve};
