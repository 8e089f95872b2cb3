/* A module that serves datagrams and connections alike. What it gets:
 *
 *     pid TEXT     answers "PID TEXT"
 *     wait MS      answers "begun", waits until it is interrupted or the time is over, and answers "ended" or "cut"
 *     local        answers with the address that the client has sent to, as "FAMILY PORT LAST-BYTE"
 *     twice        answers twice
 *     crash        ends its worker
 *     …            serve() fails */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "prefork/module.h"

static int say(const struct prefork_request *request, const char *text)
{
        if (request->datagram)
                return request->answer(request, text, strlen(text));
        return write(request->connection, text, strlen(text)) < 0 ? -errno : 0;
}

static int wait_ms(const struct prefork_request *request, long ms)
{
        struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        say(request, "begun");
        while (!request->interrupted(request) && nanosleep(&left, &left) < 0 && errno == EINTR)
                ;
        return say(request, request->interrupted(request) ? "cut" : "ended");
}

static int tell_local(const struct prefork_request *request)
{
        socklen_t length = 0;
        const struct sockaddr *local = request->local(request, &length);
        char text[64] = "none";

        if (local && local->sa_family == AF_INET) {
                const struct sockaddr_in *in = (const struct sockaddr_in *)local;
                snprintf(text, sizeof(text), "4 %d %d", ntohs(in->sin_port), (int)(ntohl(in->sin_addr.s_addr) & 0xff));
        } else if (local && local->sa_family == AF_INET6) {
                const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)local;
                snprintf(text, sizeof(text), "6 %d %d", ntohs(in6->sin6_port), in6->sin6_addr.s6_addr[15]);
        } else if (local)
                snprintf(text, sizeof(text), "unix");
        return say(request, text);
}

static int serve(void *state, const struct prefork_request *request)
{
        char text[65536], reply[65600];
        ssize_t length = 0;

        (void)state;
        if (request->datagram) {
                length = (ssize_t)request->datagram_length;
                if (request->connection != -1 || length >= (ssize_t)sizeof(text))
                        return -EMSGSIZE;
                memcpy(text, request->datagram, (size_t)length);
        } else if ((length = read(request->connection, text, sizeof(text) - 1)) < 0)
                return -errno;
        text[length] = '\0';
        if (strncmp(text, "pid", 3) == 0) {
                snprintf(reply, sizeof(reply), "%d%s", (int)getpid(), text + 3);
                return say(request, reply);
        }
        if (strncmp(text, "wait ", 5) == 0)
                return wait_ms(request, strtol(text + 5, NULL, 10));
        if (strcmp(text, "local") == 0)
                return tell_local(request);
        if (strcmp(text, "twice") == 0)
                return say(request, "one") < 0 ? -EIO : say(request, "two");
        if (strcmp(text, "crash") == 0)
                abort();
        return -EPROTO;
}

PREFORK_MODULE_EXPORT const struct prefork_module prefork_module = {
        PREFORK_MODULE_HEADER,
        .flags = PREFORK_MODULE_DATAGRAMS,
        .name = "datagram",
        .serve = serve,
};
