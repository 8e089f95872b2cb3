/* The environment of an inetd handler: the pool's fixed part, and the connection's.
 *
 * Built once by a worker; from one connection to the next only the bytes of the peer's variables change, so that nothing
 * is allocated on a connection's way. The names are those of UCSPI (ucspi-tcp, ucspi-unix), systemd and xinetd;
 * preforkd-handler(7) fixes the forms. */
#pragma once

#include "base/address.h"
#include "base/words.h"

struct handler_environment;

/* Build the fixed part: the pool's variables, after those of `inherited` (NULL: none) that a handler may see. Later
 * names win. 0 or -ENOMEM. */
int handler_environment_new(const struct words *variables, char *const *inherited, struct handler_environment **ret);

/* Describe one connection: `peer` as accept(2) gave it, `connection` its descriptor (asked for its local address and, on
 * UNIX sockets, for the peer's credentials). Returns the vector for execve(2), valid until the next call. */
char *const *handler_environment_set_peer(struct handler_environment *environment, const struct address *peer,
                                          int connection);

/* The value of a variable of the fixed part; NULL if it is not set. */
const char *handler_environment_get(const struct handler_environment *environment, const char *name);

void handler_environment_free(struct handler_environment *environment);
