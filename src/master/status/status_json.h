/* The documents of the control protocol, in the form that preforkd-control(7) fixes: structures in, JSON out.
 *
 * Every function returns a new reference, or NULL for a lack of memory. Text that is not UTF-8 (a file's name can be
 * anything) has a `?` in the place of what cannot be said. */
#pragma once

#include <jansson.h>

#include "base/problem.h"
#include "logic/policy/reload_changes.h"
#include "logic/protocol/control_request.h"
#include "logic/status/decision_ring.h"
#include "logic/status/status.h"

/* The beginnings of every reply. */
json_t *status_json_ok(enum control_command command);
json_t *status_json_error(const char *error, const char *message);

json_t *status_json_text(const char *string);
json_t *status_json_status(const struct status *status);
json_t *status_json_limits(const struct scale_limits *limits);

/* Newest first; `now_ms` and `wall_ms` are the same moment by both clocks. */
json_t *status_json_decisions(const struct decision_ring *ring, uint64_t now_ms, uint64_t wall_ms);

/* [{"severity", "file", "line", "text"} …] */
json_t *status_json_problems(const struct problem_list *problems);

/* [{"pool", "verb", "options"} …], and the options of [preforkd] that differ. */
json_t *status_json_changes(const struct reload_changes *changes);
json_t *status_json_words(const struct words *words);

/* Wall-clock time as 2026-01-31T23:59:59.123Z. */
json_t *status_json_time(uint64_t wall_ms);
