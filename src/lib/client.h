/* The client of a connection, as far as it is known: who it is, and what a proxy has said of it. Data only.
 *
 * The acceptor fills in `peer`, lib/gate the rest; the runtimes and the preload object tell the handler. */
#pragma once

#include "base/address.h"
#include "base/proxy_header.h"

struct client {
        struct address peer;        /* as accept(2) gave it; once a proxy has announced another, that one */
        struct address proxy;       /* then: the proxy's, as accept(2) gave it */
        struct proxy_header header; /* `version` is 0 if there was none, and the rest is not set */
        bool is_announced;
};

/* The address of the socket's other end. */
static inline const struct address *client_socket_peer(const struct client *client)
{
        return client->is_announced ? &client->proxy : &client->peer;
}
