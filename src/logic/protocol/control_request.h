/* A request of the control protocol: one line in, what is wanted out. Pure.
 *
 * The line is split into words as handler and listen are, so that anything can be quoted. master/control parses what
 * clients send; preforkctl takes the same table for what it offers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/words.h"

struct text;

/* The number of the protocol in every reply: raised when a client that knows the old one could be misled. */
#define CONTROL_PROTOCOL 1

/* A request, newline included, is at most this long. */
#define CONTROL_REQUEST_MAX 4096

enum control_command {
        CONTROL_STATUS, CONTROL_WHY, CONTROL_RELOAD, CONTROL_RESTART, CONTROL_SCALE, CONTROL_DRAIN, CONTROL_RESUME,
        CONTROL_KILL_WORKER, CONTROL_STOP, CONTROL_UPGRADE, CONTROL_CONFIG, CONTROL_VERSION,
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
        struct words words;    /* everything above points into it */
};

/* Parse a line without its newline. 0; -EINVAL: refused, and `complaint` says why in a sentence for people; -ENOMEM. The
 * result is ended by control_request_clear(). */
int control_request_parse(const char *line, size_t length, struct control_request *ret, struct text *complaint);

/* "kill-worker". */
const char *control_command_name(enum control_command command);

/* What follows the name: "[POOL] [--workers]", "" for nothing. */
const char *control_command_usage(enum control_command command);

/* The command of that name, or -1. */
int control_command_find(const char *name);

void control_request_clear(struct control_request *request);
