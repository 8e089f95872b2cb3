/* Builds the status document as preforkd-control(7) specifies it, and what all documents have: structures in, JSON out.
 * Called by master/control and by master/status/reply_json.
 *
 * Every function returns a new reference, or NULL if memory is short. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "logic/protocol/control_request.h"
#include "logic/status/status.h"

/* The common members of a reply: success, or an error. */
json_t *status_json_ok(enum control_command command);
json_t *status_json_error(const char *error, const char *message);

json_t *status_json_status(const struct status *status);
json_t *status_json_limits(const struct scale_limits *limits);
json_t *status_json_machine(uint64_t memory_bytes, unsigned cpus);
