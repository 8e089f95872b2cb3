/* HTTP for one connection at a time, by libmicrohttpd.
 *
 * Called by web/object for each connection of its worker. What must stay true: a client costs its worker no more than
 * the deadlines, whatever it sends and however slowly it reads; a connection is closed after its first answer, because
 * a worker is too scarce to wait for a second request. */
#pragma once

#include "prefork/module.h"
#include "document/master_link.h"

struct web_server;

/* `link` is borrowed. 0 or -errno. */
int web_server_new(struct master_link *link, struct web_server **ret);

/* Serve the request's connection, which stays the caller's to close. 0; -errno: HTTP could not be spoken at all. */
int web_server_serve(struct web_server *server, const struct prefork_request *request);

void web_server_free(struct web_server *server);
