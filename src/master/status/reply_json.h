/* Builds the lists in replies of the control protocol, as preforkd-control(7) specifies them: structures in, JSON out.
 * Called by master/control.
 *
 * Every function returns a new reference, or NULL if memory is short. */
#pragma once

#include <jansson.h>

#include "base/problem.h"
#include "logic/policy/reload_changes.h"
#include "logic/status/decision_ring.h"

/* Newest first; `now_ms` (monotonic) and `wall_ms` (wall clock) denote the same moment. */
json_t *reply_json_decisions(const struct decision_ring *ring, uint64_t now_ms, uint64_t wall_ms);

/* [{"severity", "file", "line", "text"} …] */
json_t *reply_json_problems(const struct problem_list *problems);

/* [{"pool", "verb", "options"} …], and the options of [preforkd] that differ. */
json_t *reply_json_changes(const struct reload_changes *changes);
json_t *reply_json_words(const struct words *words);
