/* A request of the control protocol: one line parsed into a command and its arguments. Pure.
 *
 * The line is split into words as the values of handler and listen are, so that anything can be quoted. master/control
 * parses what clients send; preforkctl offers the commands of the same table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/words.h"

struct text;

/* The version of the protocol, in every reply: raised by changes that could mislead clients of the one before. */
#define CONTROL_PROTOCOL 2

/* A request, newline included, is at most this long. */
#define CONTROL_REQUEST_MAX 4096

enum control_command {
        CONTROL_STATUS,
        CONTROL_WHY,
        CONTROL_RELOAD,
        CONTROL_REOPEN_LOGS,
        CONTROL_RESTART,
        CONTROL_SCALE,
        CONTROL_PAUSE,
        CONTROL_RESUME,
        CONTROL_DRAIN,
        CONTROL_UNDRAIN,
        CONTROL_KILL_WORKER,
        CONTROL_STOP,
        CONTROL_UPGRADE,
        CONTROL_CONFIG,
        CONTROL_VERSION,
        CONTROL_COMMAND_COUNT
};

struct control_request {
        enum control_command command;
        bool flag;             /* status --workers, reload --dry-run, stop --now */
        const char *pool;      /* NULL: none was named */
        const char *path;      /* upgrade; NULL: none was named */
        pid_t worker;          /* kill-worker */
        char *const *settings; /* scale: KEY=VALUE each */
        size_t setting_count;
        struct words words; /* everything above points into it */
};

/* Parse a line without its newline. 0; -EINVAL: refused, and `error` says why, for people; -ENOMEM. End the
 * result by control_request_clear(). */
int control_request_parse(const char *line, size_t length, struct control_request *ret, struct text *error);

/* "kill-worker". */
const char *control_command_name(enum control_command command);

/* The command's arguments for a usage line: "[POOL] [--workers]"; "" if it takes none. */
const char *control_command_usage(enum control_command command);

/* The command of that name, or -1. */
int control_command_find(const char *name);

void control_request_clear(struct control_request *request);
