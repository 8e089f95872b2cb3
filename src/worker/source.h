/* The source of a connection: its client's address as one number, for max_connections_per_source. */
#pragma once

#include <stdint.h>

#include "base/address.h"

/* A hash of the client's address without its port; the same for an IPv4 address and its IPv4-mapped form. 0 for UNIX
 * sockets, which have no such address. */
uint64_t source_of(const struct address *peer);
