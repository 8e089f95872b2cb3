/* `preforkctl healthcheck`: whether the daemon answers and its pools serve, for whoever runs it in a container or under
 * a monitor that knows two exit codes. Called by ctl/preforkctl. */
#pragma once

#include "ctl/client.h"

/* Ask the daemon about `pool` (NULL: all), and print one line: "healthy: 2 pools", or "unhealthy: " and why. Healthy is
 * a daemon that has started and whose pools each have a worker that serves, or may have one as soon as somebody comes.
 * CTL_EXIT_OK, or CTL_EXIT_FAILURE also if it does not answer within `patience_ms`: those who call this know no more.
 */
enum ctl_exit ctl_health_run(const char *socket_path, const char *pool, unsigned patience_ms);
