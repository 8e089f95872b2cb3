/* Changes the log target; a participant of a reload. A new target is opened before the old one is closed, and takes
 * over the number of dropped records. */
#pragma once

#include "master/reload/participant.h"
#include "os/log/sink.h"

/* The owner of the participant; zero-initialise all but `sink`. */
struct log_change {
        struct log_sink_state **sink;  /* the sink in use, borrowed; commit() replaces it */
        struct log_sink_state *opened; /* the prepared sink; NULL: the target stays */
};

extern const struct reload_participant log_participant;

/* Whether lines are stamped, for a value of log_time. */
enum log_stamps log_change_stamps(int log_time);

/* The destination for a value of log_target (enum of the configuration). */
enum log_destination log_change_destination(int target);
