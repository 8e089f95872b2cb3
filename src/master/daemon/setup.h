/* What bin/ passes to the daemon, and the exit codes it gets back. */
#pragma once

#include "logic/protocol/log_plan.h"
#include "logic/protocol/take_over.h"
#include "logic/protocol/worker_plan.h"
#include "master/config/config_reader.h"
#include "os/process/resource.h"
#include "os/process/signals.h"

/* Filled in by bin/ before daemon_run(). */
struct daemon_setup {
        struct config_source source;
        const char *program;    /* the absolute path of this program */
        char *const *arguments; /* its arguments, without argv[0] and the options of an upgrade */
        char *const *argv;      /* all of them */
        struct take_over take_over;
        int (*worker_entry)(const struct worker_plan *plan); /* runs in the child; its result is the exit code */
        int (*logger_entry)(const struct log_plan *plan);    /* the same for the log process */
        struct signals_taken signals;
        struct resource_limits original_limits; /* before preforkd raised any */
};

/* Exit codes of the daemon. */
enum {
        MASTER_EXIT_OK = 0,
        MASTER_EXIT_FAILURE = 1,
        MASTER_EXIT_USAGE = 2,
        MASTER_EXIT_NOTHING = 3,
        MASTER_EXIT_CONFIG = 78
};
