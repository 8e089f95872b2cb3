/* The source of a connection: its client as one number, by which connections are counted (max_connections_per_source,
 * rate_limit_per_source). Pure; called by lib/request. */
#pragma once

#include <stdint.h>

#include "base/address.h"
#include "base/rate_table.h"

/* A hash of the client's address without the port, as much of it as the table says (source_prefix), by its key. An
 * IPv4 address and its IPv4-mapped form have the same hash. `table` NULL: of the whole address. 0 for UNIX sockets,
 * which have no such address. */
uint64_t source_of(const struct rate_table *table, const struct address *peer);

/* The same for the user of a UNIX client. */
uint64_t source_of_user(const struct rate_table *table, uint32_t uid);
