/* The source of a connection: its client's address as one number, for max_connections_per_source. Pure; called by
 * worker/accept_loop. */
#pragma once

#include <stdint.h>

#include "base/address.h"

/* A hash of the client's address without the port. An IPv4 address and its IPv4-mapped form have the same hash. 0 for
 * UNIX sockets, which have no such address. */
uint64_t source_of(const struct address *peer);
