/* UNIX addresses: does a process listen there? Called by os/net/listener before it binds one. */
#pragma once

#include "base/address.h"

/* Does a process listen at an address that is taken? 0: no; -EADDRINUSE: yes. It finds a connection, unless the address
 * is for datagrams. */
int unix_address_check_unheard(const struct address *address);
