/* One connection to the control socket: reads a request line, sends one JSON document, and closes.
 *
 * Created by control_socket for an accepted connection; frees itself when it has sent its reply, has disconnected or
 * has missed its deadline. The list of clients has callbacks for a complete request and for a client that has gone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "logic/protocol/control_request.h"
#include "master/state/state_file.h"

struct evloop;
struct evloop_timer;
struct evloop_watch;
struct peer;

/* The most bytes of replies that are not sent yet, over all clients. */
#define CONTROL_OUTPUT_MAX (64U << 20)

enum control_client_state {
        CONTROL_CLIENT_READING,
        CONTROL_CLIENT_WAITING, /* until what it requested has been done */
        CONTROL_CLIENT_WRITING,
};

/* What a client waits for. */
enum control_wait {
        CONTROL_WAIT_NOTHING,
        CONTROL_WAIT_RELOAD,
        CONTROL_WAIT_DRY_RUN,
        CONTROL_WAIT_UPGRADE,
        CONTROL_WAIT_REOPEN,
};

struct control_client;

/* Carries out a request: the line of `length` bytes at client->request, ended by NUL. It answers now or later; the
 * client may be gone when it returns. */
struct control_dispatch {
        void *context;
        void (*execute)(void *context, struct control_client *client, size_t length);
};

/* The list of all clients, with what they share. */
struct control_clients {
        struct evloop *loop;
        struct control_dispatch dispatch;
        void (*has_room)(void *context); /* a client has gone */
        void *context;
        struct control_client *first; /* list, newest first */
        unsigned count;
        size_t output_bytes;
};

struct control_client {
        struct control_clients *clients;
        struct control_client *next, **link; /* links of the list */
        int fd;
        uid_t uid;
        bool allowed; /* false: any request is refused with "permission" */
        enum control_client_state state;
        uint64_t since_ms; /* since when we have waited for it to send or to read */
        struct evloop_watch *watch;
        struct evloop_timer *deadline;
        char request[CONTROL_REQUEST_MAX];
        size_t request_length;
        enum control_wait waits_for;
        uint64_t
                after_load; /* a read of the configuration, or an opening of the log, with a higher number answers it */
        char *output;       /* owned */
        const char *rest;   /* the part of `output` that is not sent yet */
        size_t rest_length;
};

/* Serve the connection `fd`, which is owned from here on, also on failure. If it is not `allowed`, its request is
 * refused with "permission". 0 or -errno. */
int control_client_new(struct control_clients *clients, int fd, const struct peer *peer, bool allowed);

/* Answer with the document, which is owned from here on; NULL means out of memory. The client may be gone when this
 * returns. */
void control_client_answer(struct control_client *client, json_t *file);

/* Answer with an error: one word of preforkd-control(7) and a sentence. */
void control_client_refuse(struct control_client *client, const char *error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Let the client wait for a later answer, without a deadline. */
void control_client_wait(struct control_client *client, enum control_wait what, uint64_t after_load);

/* The client that we have waited for longest, to send its request or to read its reply; NULL: there is none. */
struct control_client *control_client_find_slowest(const struct control_clients *clients);
uint64_t control_client_since_ms(const struct control_client *client);

/* Write all clients for a hand-over, with what they have sent and what is not sent to them yet: a new reference, or
 * NULL if memory is short. Read them again: 0, -EPROTO, -ENOMEM; nothing is sent. */
json_t *control_clients_write(const struct control_clients *clients, struct state_file *file);
int control_clients_read(struct control_clients *clients, struct state_file *file, const json_t *array);

/* Close and free. */
void control_client_free(struct control_client *client);
