/* A handler that takes its time: `handler_wait MILLISECONDS [STATUS]` waits, then answers with its pid and its parent's.
 *
 * It waits by the clock, not by the connection, so that a client's going does not shorten a request. STATUS is its exit
 * status. With `-` instead of a time it waits for the end of its input: a request that lasts as long as its client. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, char **argv)
{
        if (argc < 2) {
                fprintf(stderr, "usage: handler_wait MILLISECONDS|- [STATUS]\n");
                return 2;
        }
        if (strcmp(argv[1], "-") == 0)
                wait_for_end_of_input();
        else
                wait_ms(strtol(argv[1], NULL, 10));
        printf("%ld %ld\n", (long)getpid(), (long)getppid());
        return argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
}
