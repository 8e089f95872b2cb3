/* The environment of a handler: a fixed part of the pool, and for a program the variables of the connection.
 *
 * Owned by the runtimes. It is built once; from one connection to the next only the connection's variables
 * change, so that serving a connection allocates nothing. The names are those of UCSPI (ucspi-tcp, ucspi-unix), systemd
 * and xinetd; preforkd-handler(7) defines the values. */
#pragma once

#include "base/words.h"
#include "lib/client.h"

struct handler_environment;

/* Build the fixed part: those variables of `inherited` (NULL: none) that a handler may see, and then the pool's, which
 * override them. 0 or -ENOMEM. */
int handler_environment_new(const struct words *variables, char *const *inherited, struct handler_environment **ret);

/* Set the variables of one connection: of its client, and what a proxy has said of it; from `connection`, the
 * descriptor, the local address and, for UNIX sockets, the peer's credentials are read, unless a proxy has announced
 * others. Returns the vector for execve(2), which is valid until the next call. */
char *const *handler_environment_set_peer(struct handler_environment *environment, const struct client *client,
                                          int connection);

/* The fixed part as a vector, for execve(2) or for a handler in this process; valid until the next call of set_peer(),
 * and as long as the environment. */
char **handler_environment_fixed(struct handler_environment *environment);

/* The value of a variable of the fixed part; NULL if it is not set. */
const char *handler_environment_get(const struct handler_environment *environment, const char *name);

/* The directories in which the handler's program is searched: its PATH, or PROGRAM_DEFAULT_PATH. */
const char *handler_environment_search_path(const struct handler_environment *environment);

void handler_environment_free(struct handler_environment *environment);
