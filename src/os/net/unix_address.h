/* UNIX addresses: what is there already. Called by os/net/listener before it binds one. */
#pragma once

#include "base/address.h"

/* Does a process listen at an address that is taken? 0: no; -EADDRINUSE: yes. It finds a connection. */
int unix_address_check_unheard(const struct address *address);

/* Is the socket file at a path left over from a process that has ended, or is there none? 0: yes; -EADDRINUSE: a
 * process listens; -ENOTSOCK: another file; -errno. */
int unix_address_check_stale(const struct address *address);

/* Do the directory and the present file permit a socket at the path? Nobody is connected to. 0 or -errno. */
int unix_address_try(const struct address *address);
