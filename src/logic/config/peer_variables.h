/* The variables by which an inetd handler learns about its connection (preforkd-handler(7)). Pure.
 *
 * They describe the connection or are absent: neither the configuration nor preforkd's own environment can set them. */
#pragma once

#include <stdbool.h>

/* True if `variable` (a name, or NAME=VALUE) is one of them. */
bool peer_variables_contain(const char *variable);
