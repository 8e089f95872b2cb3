#include "logic/protocol/control_request.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/spelling.h"

enum argument { ARGUMENT_NONE, ARGUMENT_POOL, ARGUMENT_PID, ARGUMENT_PATH };

/* What a command takes. */
struct form {
        const char *name, *usage;
        enum argument argument;
        bool required;      /* the argument */
        bool settings;      /* at least one KEY=VALUE follows */
        const char *flag;   /* NULL: knows none */
};

static const struct form forms[] = {
        [CONTROL_STATUS] = {"status", "[POOL] [--workers]", ARGUMENT_POOL, .flag = "--workers"},
        [CONTROL_WHY] = {"why", "[POOL]", ARGUMENT_POOL},
        [CONTROL_RELOAD] = {"reload", "[--dry-run]", .flag = "--dry-run"},
        [CONTROL_RESTART] = {"restart", "POOL", ARGUMENT_POOL, .required = true},
        [CONTROL_SCALE] = {"scale", "POOL KEY=VALUE...", ARGUMENT_POOL, .required = true, .settings = true},
        [CONTROL_DRAIN] = {"drain", "POOL", ARGUMENT_POOL, .required = true},
        [CONTROL_RESUME] = {"resume", "POOL", ARGUMENT_POOL, .required = true},
        [CONTROL_KILL_WORKER] = {"kill-worker", "PID", ARGUMENT_PID, .required = true},
        [CONTROL_STOP] = {"stop", "[--now]", .flag = "--now"},
        [CONTROL_UPGRADE] = {"upgrade", "[PATH]", ARGUMENT_PATH},
        [CONTROL_CONFIG] = {"config", ""},
        [CONTROL_VERSION] = {"version", ""},
};
static_assert(ELEMENTS(forms) == CONTROL_COMMAND_COUNT, "a row for every enum control_command");

const char *control_command_name(enum control_command command)
{
        return forms[command].name;
}

const char *control_command_usage(enum control_command command)
{
        return forms[command].usage;
}

int control_command_find(const char *name)
{
        for (int i = 0; i < CONTROL_COMMAND_COUNT; i++)
                if (text_equal(forms[i].name, name))
                        return i;
        return -1;
}

static int refuse(struct text *complaint, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct text *complaint, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(complaint, format, arguments);
        va_end(arguments);
        return r < 0 ? r : -EINVAL;
}

static int refuse_command(const char *name, struct text *complaint)
{
        struct spelling spelling = {.word = name};

        for (int i = 0; i < CONTROL_COMMAND_COUNT; i++)
                spelling_offer(&spelling, forms[i].name);
        if (spelling.best)
                return refuse(complaint, "unknown command '%.64s'; did you mean '%s'?", name, spelling.best);
        return refuse(complaint, "unknown command '%.64s'", name);
}

static int take_argument(const struct form *form, const char *word, struct control_request *request,
                         struct text *complaint)
{
        uint64_t pid;

        switch (form->argument) {
        case ARGUMENT_POOL:
                request->pool = word;
                return 0;
        case ARGUMENT_PATH:
                request->path = word;
                return 0;
        case ARGUMENT_PID:
                if (number_parse(word, &pid) < 0 || pid == 0 || pid > INT_MAX)
                        return refuse(complaint, "'%.64s' is not the number of a process", word);
                request->worker = (pid_t)pid;
                return 0;
        case ARGUMENT_NONE:
                break;
        }
        return refuse(complaint, "%s: unexpected '%.64s'", form->name, word);
}

/* Everything behind the command. Settings are the last words, so that they can be pointed to as they are. */
static int take_errors(const struct form *form, struct control_request *request, struct text *complaint)
{
        bool has_argument = false;
        int r = 0;

        for (size_t i = 1; i < request->words.count && r == 0; i++) {
                const char *word = request->words.list[i];
                if (form->flag && text_equal(word, form->flag))
                        request->flag = true;
                else if (word[0] == '-') /* no pool's name, no path and no process begins like that */
                        return refuse(complaint, "%s: unknown option '%.64s'", form->name, word);
                else if (!has_argument && form->argument != ARGUMENT_NONE) {
                        r = take_argument(form, word, request, complaint);
                        has_argument = true;
                } else if (form->settings && strchr(word, '=') && word[0] != '=') {
                        request->settings = request->settings ? request->settings : &request->words.list[i];
                        request->setting_count++;
                } else
                        return refuse(complaint, "%s: unexpected '%.64s'", form->name, word);
        }
        if (r == 0 && ((form->required && !has_argument) || (form->settings && request->setting_count == 0)))
                return refuse(complaint, "expected: %s %s", form->name, form->usage);
        return r;
}

int control_request_parse(const char *line, size_t length, struct control_request *ret, struct text *complaint)
{
        struct control_request request = {0};

        if (text_printable_length(line, length) < length)
                return refuse(complaint, "the request is not a line of text");
        int r = words_split(line, &request.words);
        if (r == -EINVAL)
                return refuse(complaint, "a quote is not closed");
        if (r < 0)
                return r;
        if (request.words.count == 0)
                r = refuse(complaint, "the request is empty");
        else {
                int command = control_command_find(request.words.list[0]);
                if (command < 0)
                        r = refuse_command(request.words.list[0], complaint);
                else {
                        request.command = (enum control_command)command;
                        r = take_errors(&forms[command], &request, complaint);
                }
        }
        if (r < 0) {
                words_clear(&request.words);
                return r;
        }
        *ret = request;
        return 0;
}

void control_request_clear(struct control_request *request)
{
        words_clear(&request->words);
        *request = (struct control_request){0};
}
