/* A client that makes very many connections: `client_crowd ADDRESS COUNT AT_ONCE`, where ADDRESS is 127.0.0.1:PORT or
 * the path of a UNIX socket at which an echo is served.
 *
 * Each connection sends a text of its own, ends its sending, and must read just that and the end. Prints how many did
 * as "served N", then one line for each of the first that did not, and exits with 0 if all did. A connection that is
 * refused or gets no whole answer within PATIENCE_MS is lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 60000
#define TEXT_MAX 3000
#define TOLD_MAX 20
#define SOURCES 16 /* addresses of ours: one alone has too few ports for those that were used a moment ago */

struct client {
        int fd; /* -1: none */
        unsigned number;
        long long begun_ms;
        size_t length, sent, received;
        char text[TEXT_MAX], answer[TEXT_MAX + 1];
};

static struct sockaddr_storage target;
static socklen_t target_length;
static int epoll_fd;
static unsigned served, lost;

static long long now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool parse_address(const char *text)
{
        struct sockaddr_un *un = (struct sockaddr_un *)&target;
        struct sockaddr_in *in = (struct sockaddr_in *)&target;
        const char *colon = strrchr(text, ':');
        char host[64];

        if (text[0] == '/' && strlen(text) < sizeof(un->sun_path)) {
                un->sun_family = AF_UNIX;
                snprintf(un->sun_path, sizeof(un->sun_path), "%s", text);
                target_length = sizeof(*un);
                return true;
        }
        if (!colon || (size_t)(colon - text) >= sizeof(host))
                return false;
        snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
        target_length = sizeof(*in);
        return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

static void end(struct client *client, const char *failure, int error)
{
        if (!failure)
                served++;
        else if (lost++ < TOLD_MAX)
                fprintf(stderr, "connection %u: %s (%s) after %lld ms, %zu of %zu bytes sent, %zu received\n",
                        client->number, failure, strerror(error), now_ms() - client->begun_ms, client->sent,
                        client->length, client->received);
        close(client->fd);
        client->fd = -1;
}

/* A text that no other connection has. */
static void make_text(struct client *client, unsigned number)
{
        client->number = number;
        client->sent = client->received = 0;
        client->length = number % 16 == 0 ? number % TEXT_MAX + 1 : number % 100 + 1;
        for (size_t i = 0; i < client->length; i++)
                client->text[i] = (char)('!' + (number * 2654435761U >> 8 ^ i * 31) % 90);
}

static int open_socket(unsigned number)
{
        struct sockaddr_in source = {.sin_family = AF_INET};
        int fd = socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;

        if (fd < 0 || target.ss_family != AF_INET)
                return fd;
        source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number % SOURCES);
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
        if (bind(fd, (const struct sockaddr *)&source, sizeof(source)) == 0)
                return fd;
        close(fd);
        return -1;
}

/* False: the queue of a UNIX socket is full; to be tried again. */
static bool begin(struct client *client, unsigned number)
{
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = client};

        client->fd = open_socket(number);
        if (client->fd < 0) {
                perror("socket");
                exit(2);
        }
        client->begun_ms = now_ms();
        int r = connect(client->fd, (const struct sockaddr *)&target, target_length);
        if (r < 0 && errno == EAGAIN) {
                close(client->fd);
                client->fd = -1;
                return false;
        }
        make_text(client, number);
        if (r < 0 && errno != EINPROGRESS)
                end(client, "connect", errno);
        else
                epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event);
        return true;
}

static void put(struct client *client)
{
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

        ssize_t n = send(client->fd, client->text + client->sent, client->length - client->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
                end(client, "send", errno);
                return;
        }
        client->sent += n > 0 ? (size_t)n : 0;
        if (client->sent < client->length)
                return;
        shutdown(client->fd, SHUT_WR);
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

static void get(struct client *client)
{
        ssize_t n = recv(client->fd, client->answer + client->received, sizeof(client->answer) - client->received, 0);

        if (n < 0 && errno == EAGAIN)
                return;
        if (n < 0) {
                end(client, "receive", errno);
                return;
        }
        client->received += (size_t)n;
        bool right = client->received == client->length && memcmp(client->text, client->answer, client->length) == 0;
        if (n == 0)
                end(client, right ? NULL : "another answer", 0);
        else if (client->received > client->length)
                end(client, "too long an answer", 0);
}

static void advance(struct client *client, unsigned events)
{
        if (events & EPOLLOUT && client->sent < client->length)
                put(client);
        if (client->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                get(client);
}

int main(int argc, char **argv)
{
        if (argc != 4 || !parse_address(argv[1]))
                return 2;
        unsigned count = (unsigned)strtoul(argv[2], NULL, 10), at_once = (unsigned)strtoul(argv[3], NULL, 10),
                 begun = 0;
        struct client *clients = calloc(at_once, sizeof(*clients));
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (!clients || epoll_fd < 0)
                return 2;
        for (unsigned i = 0; i < at_once; i++)
                clients[i].fd = -1;
        while (served + lost < count) {
                struct epoll_event events[64];
                bool is_full = false;
                for (unsigned i = 0; i < at_once; i++) {
                        if (clients[i].fd >= 0 && now_ms() - clients[i].begun_ms > PATIENCE_MS)
                                end(&clients[i], "no whole answer in time", 0);
                        if (clients[i].fd < 0 && begun < count && !is_full) {
                                is_full = !begin(&clients[i], begun);
                                begun += !is_full;
                        }
                }
                int ready = epoll_wait(epoll_fd, events, sizeof(events) / sizeof(events[0]), is_full ? 2 : 1000);
                for (int i = 0; i < ready; i++)
                        advance(events[i].data.ptr, events[i].events);
        }
        printf("served %u\n", served);
        return lost > 0;
}
