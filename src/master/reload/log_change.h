/* Where the log goes, as a participant of a reload: another log_target is opened before the old one is closed, and goes
 * on counting what was dropped. */
#pragma once

#include "master/reload/participant.h"
#include "os/log/sink.h"

/* The owner; zero-initialise but for `sink`. */
struct log_change {
        struct log_sink_state **sink;  /* the one in use, borrowed; replaced by a commit */
        struct log_sink_state *opened; /* prepared; NULL: the target stays */
};

extern const struct reload_participant log_participant;

/* Where the log goes for a value of log_target. */
enum log_destination log_change_destination(int target);
