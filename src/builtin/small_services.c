#include "builtin/small_services.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "builtin/stream.h"

#define BUFFER_BYTES 16384

/* Of chargen: the printable characters without the blank, in lines that each begin one character later. */
#define FIRST_CHARACTER '!'
#define CHARACTERS 94
#define LINE_CHARACTERS 72

/* Ports below are those of services, with few exceptions. */
#define UNPRIVILEGED_PORT 1024

/* Seconds from 1900, where RFC 868 begins, to 1970. */
#define SECONDS_BEFORE_1970 2208988800U

/* Answer a datagram, whose sender anybody can forge: only to this machine, and never to a port of another such service,
 * or the two would talk to each other without end. */
static int answer(const struct prefork_request *request, const void *bytes, size_t length)
{
        struct address peer = {.length = request->peer_length};

        memcpy(&peer.un, request->peer, MIN_OF((size_t)request->peer_length, sizeof(peer.un)));
        if (!address_is_loopback(&peer) || (peer.any.sa_family != AF_UNIX && address_port(&peer) < UNPRIVILEGED_PORT))
                return 0;
        int r = request->answer(request, bytes, length);
        /* Whoever has asked may have gone, or cannot be answered. */
        static const int of_the_client[] = {EDESTADDRREQ, ECONNREFUSED, ENOENT, EPERM, EACCES, EPROTOTYPE, EAGAIN};
        for (size_t i = 0; i < ELEMENTS(of_the_client); i++)
                if (r == -of_the_client[i])
                        return 0;
        return r;
}

/* Answer a connection or a datagram with so many bytes, and that is all. */
static int reply(const struct prefork_request *request, const char *bytes, size_t length)
{
        return request->datagram ? answer(request, bytes, length)
                                 : stream_result(stream_write(request->connection, bytes, length));
}

static int serve_echo(void *state, const struct prefork_request *request)
{
        char buffer[BUFFER_BYTES];
        int r = 0;

        (void)state;
        if (request->datagram)
                return answer(request, request->datagram, request->datagram_length);
        while (r == 0) {
                ssize_t length = stream_read(request->connection, buffer, sizeof(buffer));
                if (length <= 0)
                        return stream_result((int)length);
                r = stream_write(request->connection, buffer, (size_t)length);
        }
        return stream_result(r);
}

static int serve_discard(void *state, const struct prefork_request *request)
{
        char buffer[BUFFER_BYTES];
        ssize_t length;

        (void)state;
        if (request->datagram)
                return 0;
        do
                length = stream_read(request->connection, buffer, sizeof(buffer));
        while (length > 0);
        return stream_result((int)length);
}

/* time(2) may be a tick behind: a client would see a second that is over by its own clock. */
static time_t now_s(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec;
}

/* "02 FEB 1991 12:31:42 MST": the date of SMTP, as xinetd has it. */
static int serve_daytime(void *state, const struct prefork_request *request)
{
        static const char *const months[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN",
                                             "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
        time_t now = now_s();
        struct tm parts;
        char text[256];

        (void)state;
        if (!localtime_r(&now, &parts))
                return -EOVERFLOW;
        int length =
                snprintf(text, sizeof(text), "%02d %s %d %02d:%02d:%02d %s\r\n", parts.tm_mday, months[parts.tm_mon],
                         parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_zone);
        if (length < 0 || (size_t)length >= sizeof(text))
                return -EOVERFLOW;
        return reply(request, text, (size_t)length);
}

static int serve_time(void *state, const struct prefork_request *request)
{
        uint32_t since_1900 = htonl((uint32_t)now_s() + SECONDS_BEFORE_1970); /* wraps in 2036, as the protocol does */

        (void)state;
        return reply(request, (const char *)&since_1900, sizeof(since_1900));
}

static int serve_chargen(void *state, const struct prefork_request *request)
{
        /* All lines, after which they begin again. */
        char block[CHARACTERS * (LINE_CHARACTERS + 2)], *at = block;
        int r = 0;

        (void)state;
        for (int line = 0; line < CHARACTERS; line++) {
                for (int i = 0; i < LINE_CHARACTERS; i++)
                        *at++ = (char)(FIRST_CHARACTER + (line + i) % CHARACTERS);
                *at++ = '\r';
                *at++ = '\n';
        }
        if (request->datagram) /* one line, as inetd has it */
                return answer(request, block, LINE_CHARACTERS + 2);
        while (r == 0)
                r = stream_write(request->connection, block, sizeof(block));
        return stream_result(r);
}

const struct prefork_module builtin_echo = {PREFORK_MODULE_HEADER,
                                            .flags = PREFORK_MODULE_DATAGRAMS | PREFORK_MODULE_THREAD_SAFE,
                                            .name = "echo", .serve = serve_echo};
const struct prefork_module builtin_discard = {PREFORK_MODULE_HEADER,
                                               .flags = PREFORK_MODULE_DATAGRAMS | PREFORK_MODULE_THREAD_SAFE,
                                               .name = "discard", .serve = serve_discard};
const struct prefork_module builtin_daytime = {PREFORK_MODULE_HEADER,
                                               .flags = PREFORK_MODULE_DATAGRAMS | PREFORK_MODULE_THREAD_SAFE,
                                               .name = "daytime", .serve = serve_daytime};
const struct prefork_module builtin_time = {PREFORK_MODULE_HEADER,
                                            .flags = PREFORK_MODULE_DATAGRAMS | PREFORK_MODULE_THREAD_SAFE,
                                            .name = "time", .serve = serve_time};
const struct prefork_module builtin_chargen = {PREFORK_MODULE_HEADER,
                                               .flags = PREFORK_MODULE_DATAGRAMS | PREFORK_MODULE_THREAD_SAFE,
                                               .name = "chargen", .serve = serve_chargen};
