/* Requests to the status server: whatever comes over a connection gets one answer of HTTP, or none, within the time
 * that the server gives it, and the server can serve the next. */
#include <microhttpd.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "os/clock.h"
#include "web/server.h"

/* A document of the master, with what has to be quoted. */
static const char status_document[] =
        "{\"protocol\":2,\"ok\":true,\"command\":\"status\",\"master\":{\"version\":\"1\",\"state\":\"running\"},"
        "\"pools\":["
        "{\"name\":\"www\",\"state\":\"running\",\"counts\":{\"idle\":1},\"listeners\":[{\"address\":\"/run/"
        "\\\"<&'\\\\\"}],"
        "\"workers\":[{\"pid\":7,\"state\":\"idle\",\"last_exit\":{\"signal\":9}}],"
        "\"duration_us\":{\"buckets\":[1,2,3]}},{\"name\":\"mail\",\"state\":\"paused\"}]}\n";
static const char why_document[] =
        "{\"protocol\":2,\"ok\":true,\"command\":\"why\",\"pools\":[{\"name\":\"www\",\"decisions\":[{\"time\":\"now\","
        "\"text\":\"<b>&\"}]}]}\n";

static struct master_link master_link = {.fd = -1};

static bool is_interrupted(const struct prefork_request *request)
{
        (void)request;
        return false;
}

/* As if the master had just answered. */
static void refresh(void)
{
        for (int i = 0; i < STATUS_LINK_DOCUMENT_COUNT; i++) {
                struct master_document *document = &master_link.documents[i];
                document->bytes = i == STATUS_LINK_WHY ? why_document : status_document;
                document->length = strlen(document->bytes);
                document->received_ms = clock_now_ms();
        }
}

/* The length that the header promises; SIZE_MAX: none. */
static size_t promised_length(const char *header, const char *end)
{
        static const char name[] = "\r\nContent-Length: ";
        const char *found = memmem(header, (size_t)(end - header), name, sizeof(name) - 1);

        return found ? strtoul(found + sizeof(name) - 1, NULL, 10) : SIZE_MAX;
}

static void check_answer(const char *answer, size_t length, bool is_head)
{
        if (length == 0)
                return;
        MUST(length > 12 && memcmp(answer, "HTTP/1.", 7) == 0 && answer[8] == ' ' && answer[9] >= '1' &&
             answer[9] <= '5');
        if (memcmp(answer + 9, "100", 3) == 0)
                return;
        const char *end = memmem(answer, length, "\r\n\r\n", 4);
        MUST(end);
        if (memcmp(answer + 9, "400", 3) == 0) /* libmicrohttpd 0.9.75 sends the header of some of these twice */
                return;
        size_t body = length - (size_t)(end + 4 - answer), promised = promised_length(answer, end + 2);
        MUST(promised == SIZE_MAX || promised == body || (is_head && body == 0));
        MUST(memcmp(answer + 9, "200", 3) != 0 || !memmem(end + 4, body, "<b>", 3));
}

static void serve(struct web_server *server, const uint8_t *data, size_t size)
{
        static char answer[1 << 18];
        struct sockaddr_storage peer = {.ss_family = AF_UNIX};
        size_t length = 0;
        ssize_t received;
        int pair[2];

        MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        ssize_t sent = send(pair[0], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        MUST(sent == (ssize_t)size || size > 100000);
        shutdown(pair[0], SHUT_WR);
        const struct prefork_request request = {.size = sizeof(request),
                                                .connection = pair[1],
                                                .peer = (const struct sockaddr *)&peer,
                                                .peer_length = sizeof(peer.ss_family),
                                                .interrupted = is_interrupted};
        uint64_t begun_ms = clock_now_ms();
        refresh();
        MUST(web_server_serve(server, &request) == 0);
        MUST(clock_now_ms() - begun_ms < 20000);
        close(pair[1]);
        while (length < sizeof(answer) &&
               (received = recv(pair[0], answer + length, sizeof(answer) - length, MSG_DONTWAIT)) > 0)
                length += (size_t)received;
        close(pair[0]);
        check_answer(answer, length, size > 4 && memcmp(data, "HEAD", 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct web_server *server;

        if (!server)
                MUST(web_server_new(&master_link, &server) == 0);
        serve(server, data, size);
        return 0;
}
