#include "web/server.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "web/answers.h"

/* A whole request must have come by then, and a whole answer must have been taken. */
#define RECEIVE_MS 5000
#define SEND_MS 10000
/* How long a connection is kept for what the client is still sending. */
#define LINGER_MS 500

/* What a request may take: its lines, and the answer's header. */
#define MEMORY_BYTES 32768

struct web_server {
        struct MHD_Daemon *daemon;
        struct master_link *link;
        uint64_t deadline_ms;
        bool is_answered, is_closed; /* of the present connection */
};

static bool has_argument(struct MHD_Connection *connection, const char *name, const char **ret)
{
        return MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, name, strlen(name), ret, NULL) ==
               MHD_YES;
}

static void add_headers(struct MHD_Response *response, const struct web_answer *answer)
{
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        if (answer->policy)
                MHD_add_response_header(response, "Content-Security-Policy", answer->policy);
        if (answer->code == MHD_HTTP_METHOD_NOT_ALLOWED)
                MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
        if (answer->code == MHD_HTTP_NOT_ACCEPTABLE || answer->code == MHD_HTTP_OK)
                MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept");
        if (answer->code == MHD_HTTP_SERVICE_UNAVAILABLE)
                MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
}

/* The first call for a request, when its header is complete: answered at once, so that no body is waited for. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload, size_t *upload_size,
                                  void **ret_state)
{
        struct web_server *server = context;
        struct web_request request = {.method = method, .path = path};
        struct web_answer answer = {0};

        (void)upload, (void)upload_size, (void)ret_state;
        request.accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
        request.lacks_host = strcmp(version, MHD_HTTP_VERSION_1_1) == 0 &&
                             !MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
        request.is_full = has_argument(connection, "full", NULL);
        request.is_json = has_argument(connection, "json", NULL);
        request.is_auto = has_argument(connection, "auto", NULL);
        has_argument(connection, "compat", &request.compat);
        has_argument(connection, "pool", &request.pool);
        int r = web_answer(&request, server->link, &answer);
        struct MHD_Response *response =
                r == 0 ? MHD_create_response_from_buffer(answer.body.length, answer.body.bytes, MHD_RESPMEM_MUST_COPY)
                       : NULL;
        text_clear(&answer.body);
        if (!response)
                return MHD_NO; /* closes the connection */
        add_headers(response, &answer);
        enum MHD_Result queued = MHD_queue_response(connection, answer.code, response);
        MHD_destroy_response(response);
        server->is_answered = true;
        server->deadline_ms = clock_now_ms() + SEND_MS;
        return queued;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
        struct web_server *server = context;

        (void)connection, (void)state;
        server->is_closed |= code == MHD_CONNECTION_NOTIFY_CLOSED;
}

/* What the library has to say is about clients. */
static void on_record(void *context, const char *format, va_list arguments)
{
        (void)context, (void)format, (void)arguments;
}

int web_server_new(struct master_link *link, struct web_server **ret)
{
        struct web_server *server = calloc(1, sizeof(*server));

        if (!server)
                return -ENOMEM;
        server->link = link;
        /* The logger first: it is for what follows. It is not told to be strict, because 0.9.75 sends the header of its
         * answer to a request without Host twice. */
        server->daemon =
                MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, server,
                                 MHD_OPTION_EXTERNAL_LOGGER, on_record, NULL, MHD_OPTION_NOTIFY_CONNECTION,
                                 on_connection, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
                                 MHD_OPTION_CONNECTION_LIMIT, 1U, MHD_OPTION_END);
        if (!server->daemon) {
                free(server);
                return -EIO;
        }
        *ret = server;
        return 0;
}

/* Wait until the library has something to do with its descriptor, and let it do that. (With epoll it would do so only
 * at edges, and miss an end that has come with the last bytes.) */
static void take_turn(struct web_server *server, int fd)
{
        MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
        uint64_t now_ms = clock_now_ms();
        uint64_t left_ms = server->deadline_ms - MIN_OF(now_ms, server->deadline_ms);
        fd_set reads, writes, errors;
        MHD_socket highest = -1;

        FD_ZERO(&reads);
        FD_ZERO(&writes);
        FD_ZERO(&errors);
        MHD_get_fdset(server->daemon, &reads, &writes, &errors, &highest);
        struct pollfd poll_fd = {
                .fd = fd,
                .events = (short)((FD_ISSET(fd, &reads) ? POLLIN : 0) | (FD_ISSET(fd, &writes) ? POLLOUT : 0))};
        if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
                left_ms = MIN_OF(left_ms, (uint64_t)timeout_ms);
        int r = poll(&poll_fd, 1, (int)left_ms); /* an order that ends the request interrupts it */
        int found = r > 0 ? poll_fd.revents : 0, broken = POLLHUP | POLLERR;
        if (!(found & (POLLIN | broken)))
                FD_CLR(fd, &reads);
        if (!(found & (POLLOUT | broken)))
                FD_CLR(fd, &writes);
        FD_ZERO(&errors);
        MHD_run_from_select(server->daemon, &reads, &writes, &errors);
}

/* The library closes its descriptor in a turn after that in which it finds out. */
static void end_connection(struct web_server *server, int connection, int copy)
{
        static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

        if (!server->is_answered) {
                ssize_t sent = send(connection, late, sizeof(late) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
                (void)sent; /* whoever does not read it does not miss it */
        }
        shutdown(connection, SHUT_RDWR);
        for (int turn = 0; turn < 10 && !server->is_closed; turn++)
                take_turn(server, copy);
}

/* If the connection were closed while something of the client is unread, it would be reset, and the answer with it. */
static void linger(int connection)
{
        uint64_t give_up_ms = clock_now_ms() + LINGER_MS;
        char buffer[4096];
        ssize_t length;

        if (recv(connection, buffer, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
                return;
        shutdown(connection, SHUT_WR);
        do {
                length = recv(connection, buffer, sizeof(buffer), MSG_DONTWAIT);
                struct pollfd poll_fd = {.fd = connection, .events = POLLIN};
                if (length < 0 && errno == EAGAIN && poll(&poll_fd, 1, LINGER_MS / 5) > 0)
                        length = 1;
        } while (length > 0 && clock_now_ms() < give_up_ms);
}

int web_server_serve(struct web_server *server, const struct prefork_request *request)
{
        int copy = fcntl(request->connection, F_DUPFD_CLOEXEC, 0);

        if (copy < 0)
                return -errno;
        if (copy >= FD_SETSIZE) {
                close(copy);
                return -EMFILE;
        }
        server->is_answered = server->is_closed = false;
        server->deadline_ms = clock_now_ms() + RECEIVE_MS;
        /* Closes the copy if it fails. */
        if (MHD_add_connection(server->daemon, copy, request->peer, request->peer_length) != MHD_YES)
                return -EIO;
        while (!server->is_closed && !request->interrupted(request) && clock_now_ms() < server->deadline_ms)
                take_turn(server, copy);
        if (!server->is_closed)
                end_connection(server, request->connection, copy);
        else
                linger(request->connection);
        return request->interrupted(request) ? -ETIMEDOUT : 0;
}

void web_server_free(struct web_server *server)
{
        if (!server)
                return;
        MHD_stop_daemon(server->daemon);
        free(server);
}
