#include "ctl/logs_options.h"

#include <errno.h>
#include <stddef.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "ctl/option.h"
#include "ctl/since.h"
#include "logic/config/config.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"

#define LINES_DEFAULT 10

struct parsing {
        struct ctl_logs_options *options;
        struct text *error;
        time_t now;
        bool has_lines;
};

static int refuse(struct text *error, const char *expectation)
{
        return text_appendf(error, "expected %s", expectation) < 0 ? -ENOMEM : -EINVAL;
}

static int take_lines(struct parsing *parsing, const char *value)
{
        parsing->has_lines = true;
        if (text_equal(value, "all"))
                parsing->options->lines = CTL_LOGS_ALL;
        else if (number_parse(value, &parsing->options->lines) < 0)
                return refuse(parsing->error, "a number of records, or all");
        return 0;
}

/* The words of log_level, or the number. */
static int take_priority(struct parsing *parsing, const char *value)
{
        struct master_config level = {0};
        uint64_t number;

        if (number_parse(value, &number) == 0 && number <= LOG_DEBUG) {
                parsing->options->priority = (int)number;
                return 0;
        }
        int r = option_value_parse(&master_options[MASTER_LOG_LEVEL], &level, value, parsing->error);
        if (r == 0)
                parsing->options->priority = level.log_level;
        return r;
}

static int take_since(struct parsing *parsing, const char *value)
{
        if (ctl_since_parse(value, parsing->now, &parsing->options->since_us) == 0)
                return 0;
        return refuse(parsing->error, "a time such as -1h, \"5 min ago\", today, 17:00 or \"2026-11-21 17:00:00\"");
}

static const struct {
        const char *short_name, *long_name;
        int (*take)(struct parsing *parsing, const char *value);
} with_value[] = {
        {"-n", "--lines", take_lines},
        {"-p", "--priority", take_priority},
        {"-S", "--since", take_since},
};

/* An option with a value at *at: 1, and it has been taken; 0: there is none; -errno. */
static int take_option(struct parsing *parsing, char *const *arguments, int *at)
{
        const char *value;

        for (size_t i = 0; i < ELEMENTS(with_value); i++) {
                if (!ctl_option_take(arguments, at, with_value[i].short_name, with_value[i].long_name, &value))
                        continue;
                if (text_appendf(parsing->error, "%s: ", with_value[i].long_name) < 0)
                        return -ENOMEM;
                int r = with_value[i].take(parsing, value ? value : "");
                if (r == 0)
                        text_truncate(parsing->error);
                return r < 0 ? r : 1;
        }
        return 0;
}

int ctl_logs_options_parse(char *const *arguments, time_t now, struct ctl_logs_options *ret, struct text *error)
{
        struct ctl_logs_options options = {.lines = LINES_DEFAULT, .priority = LOG_DEBUG};
        struct parsing parsing = {.options = &options, .error = error, .now = now};

        for (int i = 0; arguments[i]; i++) {
                int r = take_option(&parsing, arguments, &i);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                if (text_equal(arguments[i], "-f") || text_equal(arguments[i], "--follow"))
                        options.follow = true;
                else if (arguments[i][0] == '-' || options.pool)
                        return refuse(error, "logs [POOL] [-f] [-n N] [-p LEVEL] [--since TIME]");
                else
                        options.pool = arguments[i];
        }
        if (options.since_us > 0 && !parsing.has_lines)
                options.lines = CTL_LOGS_ALL;
        *ret = options;
        return 0;
}
