/* A module whose serve() several threads may call at once. Its first argument is "echo", which serves as cat does, or
 * "ask": then the first line of a client says what to do, and the first line of the answer is process and thread:
 *
 *     who          no more than that
 *     hold         waits for the client's end, and says "end"
 *     read         waits 1 s for something that does not come, from a pipe, and says "nothing", or "cut short" on EINTR
 *     sleep MS     sleeps once, and says "slept", or "cut short"
 *     obedient     waits for nothing else than to be interrupted
 *     stubborn     looks at nothing that would end it
 *     late MS      as obedient, but takes so long to end
 *     crash, exit, end     kills its process, calls exit(3), ends its thread
 *     leak BYTES   keeps as much memory
 *     close        closes a descriptor of the worker's
 *     block        blocks all signals of its thread */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "prefork/module.h"

static const char *mode;
static atomic_uint served;

/* True if nothing has cut it short. */
static bool sleep_ms(long ms)
{
        const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        return nanosleep(&time, NULL) == 0;
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

/* The first line, without its end. */
static void read_line(int fd, char *line, size_t size)
{
        size_t length = 0;

        while (length + 1 < size && read(fd, line + length, 1) == 1 && line[length] != '\n')
                length++;
        line[length] = '\0';
}

static int hold(int fd)
{
        char byte;

        while (read(fd, &byte, 1) > 0)
                ;
        dprintf(fd, "end\n");
        return 0;
}

static int wait_for_nothing(int fd)
{
        struct pollfd nothing = {.fd = -1};

        dprintf(fd, poll(&nothing, 1, 1000) < 0 ? "cut short\n" : "nothing\n");
        return 0;
}

static int obedient(const struct prefork_request *request, long late_ms)
{
        while (!request->interrupted(request))
                sleep(1000);
        fprintf(stderr, "interrupted\n");
        for (struct timespec left = {.tv_sec = late_ms / 1000, .tv_nsec = late_ms % 1000 * 1000000};
             nanosleep(&left, &left) < 0;)
                ;
        return -ETIMEDOUT;
}

static void block_all(void)
{
        sigset_t all;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static int leak(size_t size)
{
        char *memory = malloc(size + 1);

        if (!memory)
                return -ENOMEM;
        memset(memory, 1, size);
        __asm__ volatile("" : : "r"(memory) : "memory"); /* it is not optimised away */
        return 0;
}

static int ask(const struct prefork_request *request)
{
        int fd = request->connection;
        char line[128], *number;

        read_line(fd, line, sizeof(line));
        number = strchr(line, ' ');
        if (number)
                *number++ = '\0';
        long amount = number ? strtol(number, NULL, 10) : 0;
        dprintf(fd, "%d %d\n", getpid(), gettid());
        if (strcmp(line, "who") == 0)
                return 0;
        if (strcmp(line, "hold") == 0)
                return hold(fd);
        if (strcmp(line, "read") == 0)
                return wait_for_nothing(fd);
        if (strcmp(line, "sleep") == 0)
                return dprintf(fd, sleep_ms(amount) ? "slept\n" : "cut short\n") < 0 ? -errno : 0;
        if (strcmp(line, "obedient") == 0 || strcmp(line, "late") == 0)
                return obedient(request, amount);
        if (strcmp(line, "leak") == 0)
                return leak((size_t)amount);
        if (strcmp(line, "crash") == 0)
                abort();
        if (strcmp(line, "exit") == 0)
                exit(EXIT_SUCCESS);
        if (strcmp(line, "end") == 0)
                pthread_exit(NULL);
        if (strcmp(line, "close") == 0)
                close(3);
        if (strcmp(line, "block") == 0)
                block_all();
        while (strcmp(line, "stubborn") == 0)
                sleep_ms(100);
        return 0;
}

static int serve(void *state, const struct prefork_request *request)
{
        (void)state;
        atomic_fetch_add(&served, 1);
        return strcmp(mode, "echo") == 0 ? echo(request) : ask(request);
}

static int init(int argc, char *const *argv, void **ret_state)
{
        mode = argc > 1 ? argv[1] : "ask";
        *ret_state = &served;
        fprintf(stderr, "init\n");
        return 0;
}

static void done(void *state)
{
        fprintf(stderr, "done after %u\n", atomic_load((atomic_uint *)state));
}

PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {
        PREFORK_MODULE_HEADER, .flags = PREFORK_MODULE_THREAD_SAFE, .name = "threads", .init = init, .serve = serve,
        .done = done};
