/* Builds the documents of the control protocol as preforkd-control(7) specifies them: structures in, JSON out. Called
 * by master/control.
 *
 * Every function returns a new reference, or NULL if memory is short. In text that is not UTF-8 (such as a file name),
 * `?` replaces the invalid bytes. */
#pragma once

#include <jansson.h>

#include "base/problem.h"
#include "logic/policy/reload_changes.h"
#include "logic/protocol/control_request.h"
#include "logic/status/decision_ring.h"
#include "logic/status/status.h"

/* The common members of a reply: success, or an error. */
json_t *status_json_ok(enum control_command command);
json_t *status_json_error(const char *error, const char *message);

json_t *status_json_text(const char *string);
json_t *status_json_status(const struct status *status);
json_t *status_json_limits(const struct scale_limits *limits);
json_t *status_json_machine(uint64_t memory_bytes, unsigned cpus);

/* What adaptive scaling goes by; null with another scaling. And what starts cost. */
json_t *status_json_adaptive(const struct status_pool *status);
json_t *status_json_starts(const struct status_pool *status);

/* Newest first; `now_ms` (monotonic) and `wall_ms` (wall clock) denote the same moment. */
json_t *status_json_decisions(const struct decision_ring *ring, uint64_t now_ms, uint64_t wall_ms);

/* [{"severity", "file", "line", "text"} …] */
json_t *status_json_problems(const struct problem_list *problems);

/* [{"pool", "verb", "options"} …], and the options of [preforkd] that differ. */
json_t *status_json_changes(const struct reload_changes *changes);
json_t *status_json_words(const struct words *words);

/* Wall-clock time as 2026-01-31T23:59:59.123Z. */
json_t *status_json_time(uint64_t wall_ms);
