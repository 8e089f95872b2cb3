#include "master/control/control_client.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"
#include "master/loop/evloop.h"
#include "master/status/status_json.h"
#include "os/clock.h"
#include "os/net/peer.h"
#include "os/process/unwanted_fds.h"

/* For receiving the request, and again for sending the reply. */
#define DEADLINE_MS 10000

/* How many blocks of CONTROL_REQUEST_MAX bytes are read and discarded when a connection ends. */
#define DISCARD_MAX 256

/* Replies that need no memory. */
#define CONSTANT_ERROR(error, message)                                                                                 \
        "{\"protocol\":2,\"ok\":false,\"error\":\"" error "\",\"message\":\"" message "\"}\n"
static_assert(CONTROL_PROTOCOL == 2, "the number is written out above");
static const char out_of_memory[] = CONSTANT_ERROR("internal", "out of memory");
static const char too_much_output[] = CONSTANT_ERROR("busy", "too many replies wait to be read");

void control_client_free(struct control_client *client)
{
        struct control_clients *clients = client->clients;
        char rest[CONTROL_REQUEST_MAX];

        /* A child that was just forked may still hold the descriptor. */
        shutdown(client->fd, SHUT_RDWR);
        /* If unread bytes were left, close() would make the client's read() fail after the reply instead of returning
         * end of file. No more bytes can arrive now, and the socket holds no more than this. */
        ssize_t length = unwanted_fds_receive(client->fd, rest, sizeof(rest));
        for (int i = 1; i < DISCARD_MAX && length > 0; i++)
                length = unwanted_fds_receive(client->fd, rest, sizeof(rest));
        if (length == -EPROTO)
                unwanted_fds_drop(&client->fd);
        evloop_watch_free(client->watch);
        evloop_timer_free(client->deadline);
        fd_closep(&client->fd);
        *client->link = client->next;
        if (client->next)
                client->next->link = client->link;
        clients->count--;
        clients->output_bytes -= client->output ? strlen(client->output) : 0;
        secret_free(client->output);
        free(client);
        clients->has_room(clients->context);
}

static void start_deadline(struct control_client *client)
{
        client->since_ms = clock_now_ms();
        evloop_timer_set(client->deadline, client->since_ms + DEADLINE_MS);
}

/* Send what the socket has room for; the rest is sent when it is writable again. */
static void send_rest(struct control_client *client)
{
        while (client->rest_length > 0) {
                ssize_t sent = send(client->fd, client->rest, client->rest_length, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (sent < 0 && errno == EINTR)
                        continue;
                if (sent < 0 && errno == EAGAIN)
                        return;
                if (sent < 0)
                        break;
                client->rest += sent;
                client->rest_length -= (size_t)sent;
        }
        control_client_free(client);
}

static void start_sending(struct control_client *client, const char *reply, size_t length)
{
        client->state = CONTROL_CLIENT_WRITING;
        client->waits_for = CONTROL_WAIT_NOTHING;
        client->rest = reply;
        client->rest_length = length;
        evloop_watch_for_writing(client->watch);
        start_deadline(client);
        send_rest(client);
}

/* A secret, because it may contain one, and may wait for its reader while workers are forked. */
static char *render(json_t *file)
{
        _cleanup_(wiped_freep) char *compact = json_dumps(file, JSON_COMPACT | JSON_REAL_PRECISION(6));
        size_t length = compact ? strlen(compact) : 0;
        char *line = compact ? secret_new(length + 2) : NULL;

        if (!line)
                return NULL;
        memcpy(line, compact, length + 1);
        line[length] = '\n';
        return line;
}

void control_client_answer(struct control_client *client, json_t *file)
{
        struct control_clients *clients = client->clients;
        char *output = file ? render(file) : NULL;

        json_decref(file);
        if (!output) {
                start_sending(client, out_of_memory, strlen(out_of_memory));
                return;
        }
        size_t length = strlen(output);
        if (clients->output_bytes + length > CONTROL_OUTPUT_MAX) {
                secret_free(output);
                start_sending(client, too_much_output, strlen(too_much_output));
                return;
        }
        clients->output_bytes += length;
        client->output = output;
        start_sending(client, output, length);
}

void control_client_refuse(struct control_client *client, const char *error, const char *format, ...)
{
        _cleanup_(text_clear) struct text message = {0};
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(&message, format, arguments);
        va_end(arguments);
        control_client_answer(client, r == 0 ? status_json_error(error, text_string(&message)) : NULL);
}

void control_client_wait(struct control_client *client, enum control_wait what, uint64_t after_load)
{
        client->state = CONTROL_CLIENT_WAITING;
        client->waits_for = what;
        client->after_load = after_load;
        evloop_watch_pause(client->watch);
        evloop_timer_unset(client->deadline);
}

/* The request line is complete, too long, or ended without a newline. */
static void on_request(struct control_client *client, char *newline)
{
        if (newline && !client->allowed)
                control_client_refuse(client, "permission", "user %u may not control this preforkd",
                                      (unsigned)client->uid);
        else if (newline) {
                evloop_watch_pause(client->watch);
                *newline = '\0';
                client->clients->dispatch.execute(client->clients->dispatch.context, client,
                                                  (size_t)(newline - client->request));
        } else if (client->request_length == sizeof(client->request))
                control_client_refuse(client, "usage", "the request is longer than %d bytes", CONTROL_REQUEST_MAX);
        else if (client->request_length > 0)
                control_client_refuse(client, "usage", "the request ends before its newline");
        else
                control_client_free(client);
}

static void on_readable(struct control_client *client)
{
        size_t room = sizeof(client->request) - client->request_length;
        char *end = &client->request[client->request_length];

        ssize_t length = unwanted_fds_receive(client->fd, end, room);
        if (length == -EAGAIN || length == -EINTR)
                return;
        if (length < 0) {
                control_client_free(client);
                return;
        }
        client->request_length += (size_t)length;
        char *newline = memchr(end, '\n', (size_t)length);
        if (newline || length == 0 || client->request_length == sizeof(client->request))
                on_request(client, newline);
}

static void on_ready(void *context)
{
        struct control_client *client = context;

        if (client->state == CONTROL_CLIENT_READING)
                on_readable(client);
        else
                send_rest(client);
}

static void on_deadline(void *context)
{
        control_client_free(context);
}

int control_client_new(struct control_clients *clients, int fd, const struct peer *peer, bool allowed)
{
        struct control_client *client = calloc(1, sizeof(*client));
        _cleanup_(fd_closep) int owned = fd;

        if (!client)
                return -ENOMEM;
        client->clients = clients;
        client->uid = peer->uid;
        client->allowed = allowed;
        int r = evloop_watch_new(clients->loop, fd, on_ready, client, &client->watch);
        if (r == 0)
                r = evloop_timer_new(clients->loop, on_deadline, client, &client->deadline);
        if (r < 0) {
                evloop_watch_free(client->watch);
                free(client);
                return r;
        }
        client->fd = TAKE_FD(owned);
        client->next = clients->first;
        client->link = &clients->first;
        if (client->next)
                client->next->link = &client->next;
        clients->first = client;
        clients->count++;
        start_deadline(client);
        return 0;
}

static const struct field client_fields[] = {
        DERIVED(struct control_client, clients, "set by the reader"),
        DERIVED(struct control_client, next, "the order of the list"),
        DERIVED(struct control_client, link, "the order of the list"),
        WRITTEN(struct control_client, fd, "fd"),
        FIELD(struct control_client, uid, "uid"),
        FIELD(struct control_client, allowed, "allowed"),
        WRITTEN(struct control_client, state, "state"),
        FIELD(struct control_client, since_ms, "since_ms"),
        DERIVED(struct control_client, watch, "made anew"),
        DERIVED(struct control_client, deadline, "made anew, and set from since_ms"),
        WRITTEN(struct control_client, request, "request"),
        DERIVED(struct control_client, request_length, "the length of the request"),
        WRITTEN(struct control_client, waits_for, "waits_for"),
        FIELD(struct control_client, after_load, "after_load"),
        DERIVED(struct control_client, output, "only the rest is needed"),
        WRITTEN(struct control_client, rest, "rest"),
        DERIVED(struct control_client, rest_length, "the length of the rest"),
};

static const char *const state_names[] = {[CONTROL_CLIENT_READING] = "reading",
                                          [CONTROL_CLIENT_WAITING] = "waiting",
                                          [CONTROL_CLIENT_WRITING] = "writing"};
static const char *const wait_names[] = {[CONTROL_WAIT_NOTHING] = "nothing",
                                         [CONTROL_WAIT_RELOAD] = "reload",
                                         [CONTROL_WAIT_DRY_RUN] = "dry run",
                                         [CONTROL_WAIT_UPGRADE] = "upgrade",
                                         [CONTROL_WAIT_REOPEN] = "reopen"};

static json_t *write_client(const struct control_client *client, struct state_file *file)
{
        json_t *object = state_file_fields(client_fields, ELEMENTS(client_fields), client);
        int r = state_file_set(object, "fd", state_file_descriptor(file, client->fd));

        if (r == 0)
                r = state_file_set(object, "state", state_file_string(state_names[client->state]));
        if (r == 0)
                r = state_file_set(object, "waits_for", state_file_string(wait_names[client->waits_for]));
        if (r == 0)
                r = state_file_set(object, "request", state_file_bytes(client->request, client->request_length));
        if (r == 0)
                r = state_file_set(object, "rest", state_file_bytes(client->rest, client->rest_length));
        return state_file_finish(object, r);
}

/* Continue in its former state: read its request, wait, or send its reply. */
static int resume(struct control_client *client, struct text *request, struct text *rest)
{
        if (request->length > sizeof(client->request))
                return -EPROTO;
        if (request->length > 0)
                memcpy(client->request, request->bytes, request->length);
        client->request_length = request->length;
        evloop_timer_set(client->deadline, client->since_ms + DEADLINE_MS);
        if (client->state == CONTROL_CLIENT_WAITING)
                control_client_wait(client, client->waits_for, client->after_load);
        if (client->state != CONTROL_CLIENT_WRITING)
                return 0;
        client->output = secret_new(rest->length + 1);
        if (!client->output)
                return -ENOMEM;
        memcpy(client->output, text_string(rest), rest->length);
        client->rest = client->output;
        client->rest_length = rest->length;
        client->clients->output_bytes += strlen(client->output);
        evloop_watch_for_writing(client->watch);
        return 0;
}

static int read_client(struct control_clients *clients, struct state_file *file, const json_t *object)
{
        _cleanup_(text_clear) struct text request = {0}, rest = {0};
        struct control_client read = {0};
        unsigned state, waits_for;
        int fd;

        int r = state_file_read_fields(file, client_fields, ELEMENTS(client_fields), object, &read);
        if (r == 0)
                r = state_file_read_word(file, object, "state", state_names, ELEMENTS(state_names), &state);
        if (r == 0)
                r = state_file_read_word(file, object, "waits_for", wait_names, ELEMENTS(wait_names), &waits_for);
        if (r == 0)
                r = state_file_read_bytes(file, object, "request", &request);
        if (r == 0)
                r = state_file_read_bytes(file, object, "rest", &rest);
        if (r == 0)
                r = state_file_take_descriptor(file, object, "fd", &fd);
        if (r != 0)
                return r;
        const struct peer peer = {.uid = read.uid};
        r = control_client_new(clients, fd, &peer, read.allowed);
        if (r < 0)
                return r;
        struct control_client *client = clients->first; /* each new client is first in the list */
        client->state = (enum control_client_state)state;
        client->waits_for = (enum control_wait)waits_for;
        client->after_load = read.after_load;
        client->since_ms = read.since_ms;
        r = resume(client, &request, &rest);
        return r == -EPROTO ? state_file_fail(file, "a control client's request is too long") : r;
}

json_t *control_clients_write(const struct control_clients *clients, struct state_file *file)
{
        json_t *array = json_array();
        int r = 0;

        for (const struct control_client *client = clients->first; r == 0 && client; client = client->next)
                r = state_file_append(array, write_client(client, file));
        return state_file_finish(array, r);
}

int control_clients_read(struct control_clients *clients, struct state_file *file, const json_t *array)
{
        int r = 0;

        for (size_t i = json_array_size(array); i-- > 0 && r == 0;)
                r = read_client(clients, file, json_array_get(array, i));
        return r;
}

struct control_client *control_client_find_slowest(const struct control_clients *clients)
{
        struct control_client *slowest = NULL;

        for (struct control_client *client = clients->first; client; client = client->next)
                if (client->state != CONTROL_CLIENT_WAITING && (!slowest || client->since_ms <= slowest->since_ms))
                        slowest = client;
        return slowest;
}

uint64_t control_client_since_ms(const struct control_client *client)
{
        return client->since_ms;
}
