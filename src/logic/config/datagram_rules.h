/* Which pools can serve datagrams: by their handler type, and by the address.
 *
 * Used by config_finish() for addresses that the configuration names, and by master/manager/fd_store for the sockets of
 * socket units, whose type only the units know. */
#pragma once

#include "logic/config/config.h"

struct rules;

/* Why the pool cannot serve datagrams at that address, with what was expected; a literal. NULL: it can. */
const char *datagram_rules_reason(const struct pool_config *pool, const struct address *address);

/* True if one of the pool's addresses is for datagrams, as far as the configuration knows. */
bool datagram_rules_apply(const struct pool_config *pool);

/* Derive what follows from addresses for datagrams: accounting = none, unless it was set. */
void datagram_rules_derive(struct pool_config *pool);

/* The rules of a pool's addresses for datagrams. */
void datagram_rules_check(const struct rules *rules, const struct pool_config *pool);
