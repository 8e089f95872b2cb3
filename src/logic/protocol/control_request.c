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
        bool required;    /* the argument */
        bool settings;    /* at least one KEY=VALUE follows */
        const char *flag; /* NULL: none */
};

static const struct form forms[] = {
        [CONTROL_STATUS] = {"status", "[POOL] [--workers]", ARGUMENT_POOL, .flag = "--workers"},
        [CONTROL_WHY] = {"why", "[POOL]", ARGUMENT_POOL},
        [CONTROL_RELOAD] = {"reload", "[--dry-run]", .flag = "--dry-run"},
        [CONTROL_REOPEN_LOGS] = {"reopen-logs", ""},
        [CONTROL_RESTART] = {"restart", "POOL", ARGUMENT_POOL, .required = true},
        [CONTROL_SCALE] = {"scale", "POOL KEY=VALUE...", ARGUMENT_POOL, .required = true, .settings = true},
        [CONTROL_PAUSE] = {"pause", "POOL", ARGUMENT_POOL, .required = true},
        [CONTROL_RESUME] = {"resume", "POOL", ARGUMENT_POOL, .required = true},
        [CONTROL_DRAIN] = {"drain", "[POOL]", ARGUMENT_POOL},
        [CONTROL_UNDRAIN] = {"undrain", "[POOL]", ARGUMENT_POOL},
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

static int refuse(struct text *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct text *error, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        int r = text_appendv(error, format, arguments);
        va_end(arguments);
        return r < 0 ? r : -EINVAL;
}

static int refuse_command(const char *name, struct text *error)
{
        struct spelling spelling = {.word = name};

        for (int i = 0; i < CONTROL_COMMAND_COUNT; i++)
                spelling_offer(&spelling, forms[i].name);
        if (spelling.best)
                return refuse(error, "unknown command '%.64s'; did you mean '%s'?", name, spelling.best);
        return refuse(error, "unknown command '%.64s'", name);
}

static int take_argument(const struct form *form, const char *word, struct control_request *request, struct text *error)
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
                        return refuse(error, "'%.64s' is not a process id", word);
                request->worker = (pid_t)pid;
                return 0;
        case ARGUMENT_NONE:
                break;
        }
        return refuse(error, "%s: unexpected '%.64s'", form->name, word);
}

/* Take the words after the command. Settings are the last words, so that they are an array already. */
static int take_words(const struct form *form, struct control_request *request, struct text *error)
{
        bool has_argument = false;
        int r = 0;

        for (size_t i = 1; i < request->words.count && r == 0; i++) {
                const char *word = request->words.list[i];
                if (form->flag && text_equal(word, form->flag))
                        request->flag = true;
                else if (word[0] == '-') /* no pool name, path or process id begins with it */
                        return refuse(error, "%s: unknown option '%.64s'", form->name, word);
                else if (!has_argument && form->argument != ARGUMENT_NONE) {
                        r = take_argument(form, word, request, error);
                        has_argument = true;
                } else if (form->settings && strchr(word, '=') && word[0] != '=') {
                        request->settings = request->settings ? request->settings : &request->words.list[i];
                        request->setting_count++;
                } else
                        return refuse(error, "%s: unexpected '%.64s'", form->name, word);
        }
        if (r == 0 && ((form->required && !has_argument) || (form->settings && request->setting_count == 0)))
                return refuse(error, "expected: %s %s", form->name, form->usage);
        return r;
}

int control_request_parse(const char *line, size_t length, struct control_request *ret, struct text *error)
{
        struct control_request request = {0};

        if (text_printable_length(line, length) < length)
                return refuse(error, "the request is not UTF-8 text, or has control characters");
        int r = words_split(line, &request.words);
        if (r == -EINVAL)
                return refuse(error, "a quote is not closed, or the request ends in a backslash");
        if (r < 0)
                return r;
        if (request.words.count == 0)
                r = refuse(error, "the request is empty");
        else {
                int command = control_command_find(request.words.list[0]);
                if (command < 0)
                        r = refuse_command(request.words.list[0], error);
                else {
                        request.command = (enum control_command)command;
                        r = take_words(&forms[command], &request, error);
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
