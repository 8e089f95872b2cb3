/* `preforkctl healthcheck`: whether the daemon answers and its pools serve, for whoever runs it in a container or under
 * a monitor that knows two exit codes. Called by ctl/preforkctl. */
#pragma once

#include <jansson.h>

#include "ctl/client.h"

/* Append one line to `text` about the reply to `status`: "healthy: 2 pools", or "unhealthy: " and why. Returns true if
 * it is healthy: the daemon has started, and each of these pools has a worker that serves, or may have one as soon as
 * somebody comes. Pure. */
bool ctl_health_judge(const json_t *document, struct text *text);

/* Ask the daemon about `pool` (NULL: all), and print that line. CTL_EXIT_OK, or CTL_EXIT_FAILURE also if it does not
 * answer within `patience_ms`: nothing else is known by those who call this. */
enum ctl_exit ctl_health_run(const char *socket_path, const char *pool, unsigned patience_ms);
