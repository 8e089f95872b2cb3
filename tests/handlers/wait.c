/* A handler that takes its time: `handler_wait MILLISECONDS [STATUS]` waits, answers with its pid, its parent's, and
 * when it began and ended to wait (CLOCK_MONOTONIC, ns), ends.
 *
 * It waits by the clock, not by the connection, so that a client's going does not shorten a request. STATUS is its exit
 * status. It touches its connection before it looks at the clock: it may have been started before. With `-` instead of
 * a time it waits for the end of its input: a request that lasts as long as the client says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void wait_for_end_of_input(void)
{
        char bytes[4096];
        ssize_t got;

        do
                got = read(STDIN_FILENO, bytes, sizeof(bytes));
        while (got > 0 || (got < 0 && errno == EINTR));
}

static void wait_ms(long ms)
{
        struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        while (nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
}

static long long now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv)
{
        char byte;

        (void)!recv(STDIN_FILENO, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
        long long begun_ns = now_ns();
        if (argc < 2) {
                fprintf(stderr, "usage: handler_wait MILLISECONDS|- [STATUS]\n");
                return 2;
        }
        if (strcmp(argv[1], "-") == 0)
                wait_for_end_of_input();
        else
                wait_ms(strtol(argv[1], NULL, 10));
        printf("%ld %ld %lld %lld\n", (long)getpid(), (long)getppid(), begun_ns, now_ns());
        return argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
}
