/* The command line of preforkd(8): arguments in, what to do out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "base/words.h"

enum command {
        COMMAND_RUN,
        COMMAND_TEST, /* -t */
        COMMAND_DUMP, /* -T */
        COMMAND_HELP,
        COMMAND_HELP_CONFIG,
        COMMAND_VERSION,
};

/* Whether this program was executed by a running one, to take over from it: the option `--take-over=FD`, or
 * `--preflight=FD`, which comes first and is nobody else's. */
enum take_over_mode { TAKE_OVER_NO, TAKE_OVER_PREFLIGHT, TAKE_OVER_NOW };

struct command_line {
        enum command command;
        enum take_over_mode take_over;
        int take_over_fd;
        char **arguments;     /* of argv, everything behind the name and that option */
        const char *file;     /* NULL: the command-line form */
        struct words options; /* of the command-line form: key, value, key, value … */
};

/* Parse. 0; -EINVAL with a message for stderr in *problem; -ENOMEM. The result is ended by command_line_clear(). */
int command_line_parse(int argc, char **argv, struct command_line *ret, struct text *problem);

/* What --help prints. */
extern const char command_line_help[];

void command_line_clear(struct command_line *line);
