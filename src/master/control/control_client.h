/* One connection to the control socket: a request line in, one JSON document out, closed.
 *
 * Made by control_socket when it accepts; frees itself when it has been answered, has gone or was too slow. What is
 * done with a request, and with the room that a client leaves, is handed in with the list of them. */
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

/* Bytes of replies that wait to be read, over all clients. */
#define CONTROL_OUTPUT_MAX (64U << 20)

enum control_client_state {
        CONTROL_CLIENT_READING,
        CONTROL_CLIENT_WAITING, /* for what it asked for to be done */
        CONTROL_CLIENT_WRITING,
};

/* What a client waits for. */
enum control_wait { CONTROL_WAIT_NOTHING, CONTROL_WAIT_RELOAD, CONTROL_WAIT_DRY_RUN, CONTROL_WAIT_UPGRADE };

struct control_client;

/* What carries out a request: the line of `length` bytes at client->request, ended by NUL. It answers, now or later;
 * the client may be gone when it returns. */
struct control_dispatch {
        void *context;
        void (*execute)(void *context, struct control_client *client, size_t length);
};

/* All clients, and what they have in common. */
struct control_clients {
        struct evloop *loop;
        struct control_dispatch dispatch;
        void (*has_room)(void *context); /* one has gone */
        void *context;
        struct control_client *first; /* list, newest first */
        unsigned count;
        size_t output_bytes;
};

struct control_client {
        struct control_clients *clients;
        struct control_client *next, **link; /* of the list */
        int fd;
        uid_t uid;
        bool allowed; /* else it is told so, whatever it asks */
        enum control_client_state state;
        uint64_t since_ms; /* when it was last our turn to wait for it */
        struct evloop_watch *watch;
        struct evloop_timer *deadline;
        char request[CONTROL_REQUEST_MAX];
        size_t request_length;
        enum control_wait waits_for;
        uint64_t after_load; /* a configuration read after this one is the answer */
        char *output;        /* owned */
        const char *rest;    /* of it, what is still to be sent */
        size_t rest_length;
};

/* Serve the connection (taken over, also on failure). One that is not `allowed` is told so, and nothing else. 0 or
 * -errno. */
int control_client_new(struct control_clients *clients, int fd, const struct peer *peer, bool allowed);

/* Answer: takes the document over; NULL stands for a lack of memory. The client may be gone when this returns. */
void control_client_answer(struct control_client *client, json_t *file);

/* The same, with an error of a kind (one word) and a sentence. */
void control_client_refuse(struct control_client *client, const char *error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Do without the client until somebody answers it; there is no deadline meanwhile. */
void control_client_wait(struct control_client *client, enum control_wait what, uint64_t after_load);

/* The one that has let us wait longest, for its request or for its reading the reply; NULL: there is none. */
struct control_client *control_client_find_slowest(const struct control_clients *clients);
uint64_t control_client_since_ms(const struct control_client *client);

/* All of them: what has come in and what is still to be sent, for a hand-over. A new reference or NULL; 0, -EPROTO,
 * -ENOMEM. Nothing is sent by reading it. */
json_t *control_clients_write(const struct control_clients *clients, struct state_file *file);
int control_clients_read(struct control_clients *clients, struct state_file *file, const json_t *array);

/* Close and free. */
void control_client_free(struct control_client *client);
