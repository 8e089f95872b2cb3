/* Changes the log target; a participant of a reload. A new target is opened before the old one is closed, and takes
 * over the number of dropped records. A log process writes what it was sent before it ends. */
#pragma once

#include "master/log/log_process.h"
#include "master/reload/participant.h"
#include "os/log/sink.h"

/* The owner of the participant; zero-initialise all but the first three. */
struct log_change {
        struct log_sink_state **sink;    /* the sink in use, borrowed; commit() replaces it */
        struct log_process **process;    /* the log process in use or NULL, in the same way */
        struct log_process_setup *setup; /* of new ones; borrowed */
        struct log_sink_state *opened;   /* the prepared sink; NULL: the target stays */
        struct log_process *started;     /* the prepared process; NULL: the new target needs none */
};

extern const struct reload_participant log_participant;

/* Open the sink for a value of log_target; `process` is for a file, else NULL. Errors as log_sink_open(). */
int log_change_open_sink(const struct log_target *target, const struct log_process *process,
                         struct log_sink_state **ret);

/* How the sink writes lines: log_time and log_format. */
void log_change_set_form(const struct master_config *config, struct log_sink_state *sink);

/* Tell a log process what the configuration says of it. */
void log_change_set_process(const struct master_config *config, struct log_process *process);
