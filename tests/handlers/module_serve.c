/* A module that serves as the handlers of the tests do. Its first argument says how:
 *
 *     echo                     as cat
 *     wait MS|- [ERRNO]        as handler_wait; ERRNO is what serve() fails with
 *     stubborn                 says "begun", and looks at nothing that would end it
 *     obedient                 says "begun", and waits for nothing else than to be interrupted
 *     hang                     reads from elsewhere what never comes, until it is interrupted
 *     look                     what a module sees: its process, environment, limits, addresses; one line each
 *     leak BYTES               keeps as much memory of each request, and says its pid
 *     init ERRNO               init() fails
 *     slow MS                  init() takes as long
 *     hold BYTES MS            init() takes so much memory and time; says "begun", and reads to the end
 *     done FILE                writes "done" into FILE in done() */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "prefork/module.h"

extern char **environ;

struct state {
        int argc;
        char *const *argv;
        unsigned served;
};

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

static int echo(const struct prefork_request *request)
{
        char bytes[65536];
        ssize_t got;

        while ((got = read(request->connection, bytes, sizeof(bytes))) > 0)
                for (ssize_t done = 0; done < got;) {
                        ssize_t put = write(request->connection, bytes + done, (size_t)(got - done));
                        if (put < 0)
                                return -errno;
                        done += put;
                }
        return got < 0 ? -errno : 0;
}

static int serve_wait(const struct state *state, const struct prefork_request *request)
{
        long long begun_ns = now_ns();
        char bytes[4096];
        ssize_t got;

        if (strcmp(state->argv[2], "-") == 0)
                do
                        got = read(request->connection, bytes, sizeof(bytes));
                while (got > 0 || (got < 0 && errno == EINTR));
        else
                wait_ms(strtol(state->argv[2], NULL, 10));
        dprintf(request->connection, "%ld %ld %lld %lld\n", (long)getpid(), (long)getpid(), begun_ns, now_ns());
        return state->argc > 3 ? -(int)strtol(state->argv[3], NULL, 10) : 0;
}

static int stubborn(const struct prefork_request *request)
{
        dprintf(request->connection, "begun\n");
        for (;;)
                wait_ms(100);
}

static int obedient(const struct prefork_request *request)
{
        dprintf(request->connection, "begun\n");
        while (!request->interrupted(request))
                sleep(1000);
        fprintf(stderr, "interrupted\n");
        return -ETIMEDOUT;
}

/* Reads what never comes, from elsewhere. */
static int hang(const struct prefork_request *request)
{
        int fds[2];
        char byte;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        while (read(fds[0], &byte, 1) < 0 && errno == EINTR && !request->interrupted(request))
                ;
        close(fds[0]);
        close(fds[1]);
        return -ETIMEDOUT;
}

static void put_address(int fd, const char *name, const struct sockaddr *address, socklen_t length)
{
        char host[INET6_ADDRSTRLEN] = "";

        if (!address || address->sa_family == AF_UNIX) {
                const struct sockaddr_un *un = (const struct sockaddr_un *)address;
                bool named = un && length > sizeof(un->sun_family);
                dprintf(fd, "%s=unix:%s\n", name, named ? un->sun_path : "");
                return;
        }
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        bool is_6 = address->sa_family == AF_INET6;
        inet_ntop(address->sa_family, is_6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr, host,
                  sizeof(host));
        dprintf(fd, "%s=%s:%u\n", name, host, ntohs(is_6 ? in6->sin6_port : in->sin_port));
}

static int look(const struct state *state, const struct prefork_request *request)
{
        int fd = request->connection;
        struct rlimit files, core;
        socklen_t length = 0;
        char cwd[4096];
        mode_t mask = umask(0);

        umask(mask);
        getrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_CORE, &core);
        for (int i = 0; i < state->argc; i++)
                dprintf(fd, "argv[%d]=%s\n", i, state->argv[i]);
        dprintf(fd, "argv[%d]=%s\n", state->argc, state->argv[state->argc] ? "more" : "NULL");
        for (char **variable = environ; *variable; variable++)
                dprintf(fd, "environ %s\n", *variable);
        const char *home = getenv("HOME");
        dprintf(fd, "getenv HOME=%s\n", home ? home : "");
        dprintf(fd, "uid=%u\ngid=%u\nnofile=%llu\ncore=%llu\numask=%04o\ncwd=%s\nserved=%u\n", geteuid(), getegid(),
                (unsigned long long)files.rlim_cur, (unsigned long long)core.rlim_cur, mask,
                getcwd(cwd, sizeof(cwd)) ? cwd : "", state->served);
        put_address(fd, "peer", request->peer, request->peer_length);
        const struct sockaddr *local = request->local(request, &length);
        put_address(fd, "local", local, length);
        dprintf(fd, "size=%u interrupted=%d flags=%d\n", request->size, request->interrupted(request),
                fcntl(fd, F_GETFL) & O_NONBLOCK ? 1 : 0);
        printf("to stdout\n");
        fflush(stdout);
        fprintf(stderr, "to stderr\n");
        return 0;
}

static int keep(size_t size)
{
        char *memory = malloc(size);

        if (!memory)
                return -ENOMEM;
        memset(memory, 1, size);
        __asm__ volatile("" : : "r"(memory) : "memory"); /* it is not optimised away */
        return 0;
}

static int leak(const struct state *state, const struct prefork_request *request)
{
        int r = keep(strtoul(state->argv[2], NULL, 10));

        if (r == 0)
                dprintf(request->connection, "%ld", (long)getpid());
        return r;
}

static int take(size_t size, long ms)
{
        wait_ms(ms);
        return keep(size);
}

static int hold(const struct prefork_request *request)
{
        char bytes[4096];
        ssize_t got;

        if (write(request->connection, "begun\n", 6) < 0)
                return -errno;
        while ((got = read(request->connection, bytes, sizeof(bytes))) > 0 || (got < 0 && errno == EINTR))
                ;
        return got < 0 ? -errno : 0;
}

static int serve(void *context, const struct prefork_request *request)
{
        struct state *state = context;
        const char *what = state->argv[1];

        state->served++;
        if (strcmp(what, "echo") == 0 || strcmp(what, "done") == 0 || strcmp(what, "slow") == 0)
                return echo(request);
        if (strcmp(what, "wait") == 0)
                return serve_wait(state, request);
        if (strcmp(what, "stubborn") == 0)
                return stubborn(request);
        if (strcmp(what, "obedient") == 0)
                return obedient(request);
        if (strcmp(what, "hang") == 0)
                return hang(request);
        if (strcmp(what, "look") == 0)
                return look(state, request);
        if (strcmp(what, "leak") == 0)
                return leak(state, request);
        if (strcmp(what, "hold") == 0)
                return hold(request);
        return -EINVAL;
}

static int init(int argc, char *const *argv, void **ret_state)
{
        struct state *state = calloc(1, sizeof(*state));

        if (!state || argc < 2)
                return -EINVAL;
        *state = (struct state){.argc = argc, .argv = argv};
        *ret_state = state;
        if (strcmp(argv[1], "init") == 0)
                return -(int)strtol(argv[2], NULL, 10);
        if (strcmp(argv[1], "slow") == 0)
                wait_ms(strtol(argv[2], NULL, 10));
        return strcmp(argv[1], "hold") == 0 ? take(strtoul(argv[2], NULL, 10), strtol(argv[3], NULL, 10)) : 0;
}

static void done(void *context)
{
        struct state *state = context;

        if (strcmp(state->argv[1], "done") == 0) {
                int fd = open(state->argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
                dprintf(fd, "done after %u\n", state->served);
                close(fd);
        }
        free(state);
}

PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {PREFORK_MODULE_HEADER, .name = "serve",
                                                                    .init = init, .serve = serve, .done = done};
