#include "ctl/client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "logic/protocol/control_request.h"
#include "os/clock.h"

/* More than any reply: another program at this socket must not fill our memory. */
#define REPLY_MAX (256U << 20)

static void fail(struct ctl_reply *reply, enum ctl_exit exit_code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void fail(struct ctl_reply *reply, enum ctl_exit exit_code, const char *format, ...)
{
        va_list arguments;

        reply->exit_code = exit_code;
        va_start(arguments, format);
        (void)text_appendv(&reply->message, format, arguments); /* without memory there is only the exit code */
        va_end(arguments);
}

static void fail_to_connect(struct ctl_reply *reply, const char *path, int error)
{
        switch (error) {
        case ENOENT:
        case ECONNREFUSED:
                fail(reply, CTL_EXIT_NOT_RUNNING, "preforkd is not running, or not with the control socket %s", path);
                break;
        case ENOTDIR: /* no preforkd can listen at such a path */
        case ELOOP:
        case ENAMETOOLONG:
        case EPROTOTYPE:
                fail(reply, CTL_EXIT_NOT_RUNNING, "preforkd is not running with the control socket %s: %s", path,
                     strerror(error));
                break;
        case EACCES:
        case EPERM:
                fail(reply, CTL_EXIT_PERMISSION,
                     "you may not use the control socket %s: root, preforkd's own user and "
                     "control_group may",
                     path);
                break;
        case EAGAIN: /* the queue is full: the daemon is stopped */
                fail(reply, CTL_EXIT_NOT_RUNNING, "preforkd does not answer: is it stopped, or out of memory?");
                break;
        default:
                fail(reply, CTL_EXIT_FAILURE, "cannot connect to %s: %s", path, strerror(error));
        }
}

/* Let the next call on the socket wait until then, and no longer. 0; -EAGAIN: it is later; -errno. */
static int set_patience(int fd, int option, uint64_t give_up_ms)
{
        uint64_t now_ms = clock_now_ms();
        uint64_t left_ms = give_up_ms > now_ms ? give_up_ms - now_ms : 0;
        const struct timeval patience = {.tv_sec = (time_t)(left_ms / 1000),
                                         .tv_usec = (suseconds_t)(left_ms % 1000 * 1000)};

        if (left_ms == 0) /* to the kernel that means: for ever */
                return -EAGAIN;
        return setsockopt(fd, SOL_SOCKET, option, &patience, sizeof(patience)) < 0 ? -errno : 0;
}

static int open_connection(const char *path, uint64_t give_up_ms)
{
        _cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct address address = {.un = {.sun_family = AF_UNIX}, .length = sizeof(address.un)};

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(address.un.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.un.sun_path, path, strlen(path));
        /* SO_SNDTIMEO also limits connect(2) (unix(7)). */
        int r = set_patience(fd, SO_SNDTIMEO, give_up_ms);
        if (r < 0)
                return r;
        if (connect(fd, &address.any, address.length) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int send_all(int fd, const struct text *line)
{
        for (size_t sent = 0; sent < line->length;) {
                ssize_t length = send(fd, &line->bytes[sent], line->length - sent, MSG_NOSIGNAL);
                if (length < 0 && errno != EINTR)
                        return -errno;
                sent += length > 0 ? (size_t)length : 0;
        }
        return 0;
}

static int receive_all(int fd, uint64_t give_up_ms, struct text *bytes)
{
        char buffer[65536];

        for (;;) {
                int r = set_patience(fd, SO_RCVTIMEO, give_up_ms);
                if (r < 0)
                        return r;
                ssize_t length = recv(fd, buffer, sizeof(buffer), 0);
                if (length < 0 && errno == EINTR)
                        continue;
                if (length <= 0)
                        return length < 0 ? -errno : 0;
                if (bytes->length + (size_t)length > REPLY_MAX)
                        return -EFBIG;
                r = text_append_bytes(bytes, buffer, (size_t)length);
                if (r < 0)
                        return r;
        }
}

/* The exit code of an error of the daemon. */
static void take_error(struct ctl_reply *reply)
{
        const char *error = json_string_value(json_object_get(reply->document, "error"));
        const char *message = json_string_value(json_object_get(reply->document, "message"));
        enum ctl_exit exit_code = CTL_EXIT_FAILURE;

        if (error && text_equal(error, "permission"))
                exit_code = CTL_EXIT_PERMISSION;
        else if (error && text_equal(error, "usage"))
                exit_code = CTL_EXIT_USAGE;
        fail(reply, exit_code, "%s", message ? message : "refused");
}

static void read_document(struct ctl_reply *reply)
{
        json_error_t error;

        if (reply->bytes.length == 0) {
                fail(reply, CTL_EXIT_FAILURE, "preforkd closed the connection without a reply");
                return;
        }
        reply->document = json_loadb(reply->bytes.bytes, reply->bytes.length, 0, &error);
        if (!json_is_object(reply->document))
                fail(reply, CTL_EXIT_FAILURE, "the reply is not a document of the control protocol");
        else if (json_integer_value(json_object_get(reply->document, "protocol")) != CONTROL_PROTOCOL)
                fail(reply, CTL_EXIT_FAILURE, "preforkd speaks another version of the control protocol");
        else if (!json_is_true(json_object_get(reply->document, "ok")))
                take_error(reply);
}

struct ctl_reply ctl_ask(const char *path, const struct words *request, unsigned patience_ms)
{
        const uint64_t give_up_ms = clock_now_ms() + patience_ms;
        struct ctl_reply reply = {.exit_code = CTL_EXIT_OK};
        _cleanup_(text_clear) struct text line = {0};

        if (words_join(&line, request) < 0 || text_append(&line, "\n") < 0) {
                fail(&reply, CTL_EXIT_FAILURE, "%s", strerror(ENOMEM));
                return reply;
        }
        if (line.length > CONTROL_REQUEST_MAX) {
                fail(&reply, CTL_EXIT_USAGE, "the request is longer than %d bytes", CONTROL_REQUEST_MAX);
                return reply;
        }
        _cleanup_(fd_closep) int fd = open_connection(path, give_up_ms);
        if (fd < 0) {
                fail_to_connect(&reply, path, -fd);
                return reply;
        }
        int r = send_all(fd, &line);
        /* The daemon may have refused us and closed the connection already; then its reply gives the reason. */
        if (r == 0 || r == -EPIPE)
                r = receive_all(fd, give_up_ms, &reply.bytes);
        if (r == -EAGAIN)
                fail(&reply, CTL_EXIT_NOT_RUNNING,
                     "preforkd did not answer within %g s; an order may still be carried out, see its log",
                     patience_ms / 1000.0);
        else if (r < 0 && reply.bytes.length == 0)
                fail(&reply, CTL_EXIT_FAILURE, "the connection broke: %s", strerror(-r));
        else
                read_document(&reply);
        return reply;
}

void ctl_reply_clear(struct ctl_reply *reply)
{
        json_decref(reply->document);
        text_clear(&reply->bytes);
        text_clear(&reply->message);
        *reply = (struct ctl_reply){0};
}
