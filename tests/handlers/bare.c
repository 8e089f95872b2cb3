/* What a preforked server costs that does nothing but serve: `handler_bare PORT WORKERS` forks the workers, which
 * accept and answer as handler_hello does. No scoreboard, no limits, no signals; ended by SIGTERM to its group. With a
 * number below 1,000 it is one such worker, on the listener that has this number: `handler_bare FD accept`, or `poll`,
 * if it is to wait by that.
 *
 * The benchmarks of modules and of programs that accept themselves compare with it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve(int connection)
{
        static const char reply[] = "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
        char request[4096];
        size_t length = 0;

        while (length < sizeof(request) - 1) {
                ssize_t got = read(connection, request + length, sizeof(request) - 1 - length);
                if (got <= 0)
                        break;
                length += (size_t)got;
                request[length] = '\0';
                if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n"))
                        break;
        }
        if (write(connection, reply, sizeof(reply) - 1) < 0)
                _exit(1);
}

static _Noreturn void work(int listener, int polls)
{
        struct pollfd poller = {.fd = listener, .events = POLLIN};

        for (;;) {
                struct sockaddr_storage peer;
                socklen_t length = sizeof(peer);
                if (polls)
                        poll(&poller, 1, -1);
                int connection = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
                if (connection < 0)
                        continue;
                serve(connection);
                close(connection);
        }
}

int main(int argc, char **argv)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        const int on = 1;

        if (argc != 3)
                return 2;
        long number = strtol(argv[1], NULL, 10);
        if (number < 1000)
                work((int)number, strcmp(argv[2], "poll") == 0);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        address.sin_port = htons((uint16_t)number);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        signal(SIGPIPE, SIG_IGN);
        if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 511) < 0)
                return 1;
        for (long left = strtol(argv[2], NULL, 10); left > 0; left--)
                if (fork() == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        work(listener, 0);
                }
        for (;;)
                pause();
}
