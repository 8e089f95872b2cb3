/* The command line of preforkd(8): arguments in, what to do out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "base/words.h"
#include "logic/protocol/take_over.h"

enum command {
        COMMAND_RUN,
        COMMAND_TEST, /* -t */
        COMMAND_DUMP, /* -T */
        COMMAND_HELP,
        COMMAND_HELP_CONFIG,
        COMMAND_VERSION,
};

struct command_line {
        enum command command;
        struct take_over take_over;
        char **arguments;     /* of argv, everything behind the name and the options of an upgrade */
        const char *file;     /* NULL: the command-line form */
        struct words options; /* of the command-line form: key, value, key, value … */
};

/* Parse. 0; -EINVAL with a message for stderr in *problem; -ENOMEM. The result is ended by command_line_clear(). */
int command_line_parse(int argc, char **argv, struct command_line *ret, struct text *problem);

/* What --help prints. */
extern const char command_line_help[];

void command_line_clear(struct command_line *line);
