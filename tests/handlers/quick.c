/* A client that costs as little as a client can: `client_quick PORT COUNT AT_ONCE` asks 127.0.0.1:PORT for `/` so many
 * times, in threads that each wait for one answer. Prints how many were answered in a second, as "N answers/s".
 *
 * For benchmarks of servers that are quicker than ab(1), which is one thread: they would wait for it. An answer is
 * whole when the server has closed the connection; if one does not begin with WANTED, it says so and exits with 1. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE_MAX 64
#define PATIENCE_S 30
#define WANTED "HTTP/1.0 200 "

static struct sockaddr_in target = {.sin_family = AF_INET};
static _Atomic long left;

static double now_s(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const char *what)
{
        fprintf(stderr, "client_quick: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

static void ask(void)
{
        static const char request[] = "GET / HTTP/1.0\r\n\r\n";
        static const struct timeval patience = {.tv_sec = PATIENCE_S};
        char answer[512];
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
            connect(fd, (struct sockaddr *)&target, sizeof(target)) < 0)
                fail("connect");
        if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1)
                fail("send");
        ssize_t got = recv(fd, answer, sizeof(answer), MSG_WAITALL); /* which is until the end */
        if (got < 0)
                fail("recv");
        if ((size_t)got < sizeof(WANTED) - 1 || memcmp(answer, WANTED, sizeof(WANTED) - 1) != 0) {
                errno = EBADMSG;
                fail("an answer");
        }
        close(fd);
}

static void *run(void *unused)
{
        (void)unused;
        while (atomic_fetch_sub(&left, 1) > 0)
                ask();
        return NULL;
}

/* Or 0. */
static long number(const char *word, long most)
{
        char *end;
        long value = strtol(word, &end, 10);

        return value > 0 && value <= most && *end == '\0' ? value : 0;
}

int main(int argc, char **argv)
{
        pthread_t threads[AT_ONCE_MAX];
        long port = 0, count = 0, at_once = 0;

        if (argc == 4) {
                port = number(argv[1], UINT16_MAX);
                count = number(argv[2], LONG_MAX);
                at_once = number(argv[3], AT_ONCE_MAX);
        }
        if (port == 0 || count == 0 || at_once == 0) {
                fprintf(stderr, "usage: client_quick PORT COUNT AT_ONCE\n");
                return 2;
        }
        target.sin_port = htons((uint16_t)port);
        target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        left = count;
        double begun_s = now_s();
        for (long i = 0; i < at_once; i++)
                if (pthread_create(&threads[i], NULL, run, NULL) != 0)
                        fail("pthread_create");
        for (long i = 0; i < at_once; i++)
                pthread_join(threads[i], NULL);
        printf("%.1f answers/s\n", (double)count / (now_s() - begun_s));
        return 0;
}
