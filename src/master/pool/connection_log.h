/* connection_log: a record of the log for each connection that a worker tells of.
 *
 * Called by pool for what comes through the wake pipe. Nothing that a worker says is believed: it becomes text. */
#pragma once

struct connection_record;
struct pool_config;

void connection_log_tell(const struct pool_config *pool, const struct connection_record *record);
