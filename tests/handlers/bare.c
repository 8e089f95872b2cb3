/* What a preforked server costs that does nothing but serve: `handler_bare PORT WORKERS` forks the workers, which
 * accept and answer as handler_hello does. No scoreboard, no limits, no signals; ended by SIGTERM to its group.
 *
 * The benchmark of modules compares with it. */
#include <arpa/inet.h>
#include <netinet/in.h>
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

int main(int argc, char **argv)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        const int on = 1;

        if (argc != 3)
                return 2;
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        address.sin_port = htons((uint16_t)strtol(argv[1], NULL, 10));
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        signal(SIGPIPE, SIG_IGN);
        if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 511) < 0)
                return 1;
        for (long left = strtol(argv[2], NULL, 10); left > 0; left--)
                if (fork() == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        for (;;) {
                                struct sockaddr_storage peer;
                                socklen_t length = sizeof(peer);
                                int connection = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
                                if (connection < 0)
                                        continue;
                                serve(connection);
                                close(connection);
                        }
                }
        for (;;)
                pause();
}
