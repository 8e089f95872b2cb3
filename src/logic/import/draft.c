#include "logic/import/draft.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "base/words.h"
#include "logic/config/config_options.h"
#include "logic/config/option_value.h"
#include "logic/config/schema.h"

#define NAME_LENGTH_MAX 40 /* shorter than what is allowed: numbers are appended */
#define EVERYBODY "0.0.0.0/0 ::/0"

static bool is_taken(const struct draft *draft, const char *name)
{
        for (size_t i = 0; i < draft->pool_count; i++)
                if (text_equal(draft->pools[i]->name, name))
                        return true;
        return text_equal(name, "preforkd") || text_equal(name, "defaults");
}

/* A good and unique name made of the wanted one; NULL if out of memory. */
static char *make_name(const struct draft *draft, const char *wanted)
{
        char base[NAME_LENGTH_MAX + 1], name[NAME_LENGTH_MAX + 24];
        size_t length = 0;

        if (!isalnum((unsigned char)wanted[0]))
                length = (size_t)snprintf(base, sizeof(base), "pool%s", wanted[0] == '\0' ? "" : "-");
        for (; *wanted != '\0' && length < NAME_LENGTH_MAX; wanted++)
                base[length++] = *wanted;
        base[length] = '\0';
        for (char *at = base; *at != '\0'; at++)
                if (!isalnum((unsigned char)*at) && !strchr("_-.", *at))
                        *at = '-';
        snprintf(name, sizeof(name), "%s", base);
        for (size_t number = 2; is_taken(draft, name); number++)
                snprintf(name, sizeof(name), "%s-%zu", base, number);
        return strdup(name);
}

static void pool_free(struct draft_pool *pool)
{
        for (size_t i = 0; i < POOL_OPTION_COUNT; i++)
                text_clear(&pool->values[i]);
        text_clear(&pool->origin);
        text_clear(&pool->notes);
        free(pool->name);
        free(pool);
}

/* The printable rest of a comment: a line feed in it would end the comment. */
static void remember(struct draft *draft, struct text *text, const char *line)
{
        size_t before = text->length;

        if (text_appendf(text, "%s\n", line) < 0) {
                draft->out_of_memory = true;
                return;
        }
        while (text_printable_length(text->bytes + before, text->length - 1 - before) < text->length - 1 - before) {
                before += text_printable_length(text->bytes + before, text->length - 1 - before);
                text->bytes[before] = '?';
        }
}

struct draft_pool *draft_add_pool(struct draft *draft, const char *name, const char *file, unsigned line)
{
        struct draft_pool **pools = reallocarray(draft->pools, draft->pool_count + 1, sizeof(struct draft_pool *));
        struct draft_pool *pool = pools ? calloc(1, sizeof(*pool)) : NULL;
        _cleanup_(text_clear) struct text origin = {0};

        if (pools)
                draft->pools = pools;
        if (pool)
                pool->name = make_name(draft, name);
        if (!pool || !pool->name || text_appendf(&origin, "%s:%u", file, line) < 0) {
                if (pool)
                        pool_free(pool);
                draft->out_of_memory = true;
                return NULL;
        }
        remember(draft, &pool->origin, text_string(&origin));
        draft->pools[draft->pool_count++] = pool;
        return pool;
}

/* `what` (NULL: nothing) somebody has to decide about. */
static void note(struct draft *draft, struct draft_pool *pool, const char *what, const char *format, va_list arguments)
        __attribute__((format(printf, 4, 0)));

static void note(struct draft *draft, struct draft_pool *pool, const char *what, const char *format, va_list arguments)
{
        _cleanup_(text_clear) struct text text = {0};

        if (text_append(&text, what ? "! " : "") < 0 ||
            (draft->word && text_appendf(&text, "%s = %s: ", draft->word, draft->value) < 0) ||
            text_append(&text, what ? what : "") < 0 || text_appendv(&text, format, arguments) < 0) {
                draft->out_of_memory = true;
                return;
        }
        remember(draft, pool ? &pool->notes : &draft->notes, text_string(&text));
}

void draft_note(struct draft *draft, struct draft_pool *pool, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        note(draft, pool, NULL, format, arguments);
        va_end(arguments);
}

void draft_ask(struct draft *draft, struct draft_pool *pool, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        note(draft, pool, "", format, arguments);
        va_end(arguments);
        draft->undecided = true;
}

void draft_leave_out(struct draft *draft, struct draft_pool *pool, const char *format, ...)
{
        va_list arguments;

        draft->undecided = true;
        if (!pool)
                return;
        va_start(arguments, format);
        note(draft, pool, "left out: ", format, arguments);
        va_end(arguments);
        pool->left_out = true;
}

static struct text *value_of(struct draft_pool *pool, const char *option)
{
        int index = pool_option_find(option);

        return pool && index >= 0 ? &pool->values[index] : NULL;
}

const char *draft_value(const struct draft_pool *pool, const char *option)
{
        int index = pool_option_find(option);

        return pool && index >= 0 ? text_string(&pool->values[index]) : "";
}

static bool listens(struct draft *draft, const struct draft_pool *pool, bool at_unix)
{
        _cleanup_(words_clear) struct words words = {0};
        bool found = false;

        if (words_split(draft_value(pool, "listen"), &words) == -ENOMEM)
                draft->out_of_memory = true;
        for (size_t i = 0; i < words.count; i++) {
                struct address address;
                bool is_unix = address_parse(words.list[i], &address) == 0 && address.any.sa_family == AF_UNIX;
                found = found || is_unix == at_unix;
        }
        return found;
}

bool draft_has_unix(struct draft *draft, const struct draft_pool *pool)
{
        return listens(draft, pool, true);
}

bool draft_has_network(struct draft *draft, const struct draft_pool *pool)
{
        return listens(draft, pool, false);
}

/* Why the option cannot have the value, in `error`. 0, -ENOTSUP: there is no such option, -EINVAL or -ENOMEM. */
static int try(const char *option, const char *value, struct text *error)
{
        int index = pool_option_find(option), r;

        if (index < 0 || pool_options[index].not_built) {
                r = text_append(error, "this version of preforkd has no such key");
                return r < 0 ? r : -ENOTSUP;
        }
        if (text_printable_length(value, strlen(value)) < strlen(value)) {
                r = text_append(error, "control characters, or bytes that are no text");
                return r < 0 ? r : -EINVAL;
        }
        struct pool_config *pool = calloc(1, sizeof(*pool));
        if (!pool)
                return -ENOMEM;
        r = option_value_parse(&pool_options[index], pool, value, error);
        option_value_clear(&pool_options[index], pool);
        free(pool);
        return r;
}

/* False: `error` says why not. */
static bool set(struct draft *draft, struct draft_pool *pool, const char *option, const char *value, struct text *error)
{
        if (!pool)
                return false;
        int r = try(option, value, error);
        if (r == 0) {
                text_truncate(value_of(pool, option));
                r = text_append(value_of(pool, option), value);
        }
        if (r == -ENOMEM)
                draft->out_of_memory = true;
        return r == 0;
}

bool draft_set(struct draft *draft, struct draft_pool *pool, const char *option, const char *value)
{
        _cleanup_(text_clear) struct text error = {0};
        bool done = set(draft, pool, option, value, &error);

        if (!done && pool)
                draft_note(draft, pool, "not carried over as %s = %s: %s", option, value, text_string(&error));
        return done;
}

bool draft_require(struct draft *draft, struct draft_pool *pool, const char *option, const char *value)
{
        _cleanup_(text_clear) struct text error = {0};
        bool done = set(draft, pool, option, value, &error);

        if (!done)
                draft_leave_out(draft, pool, "it needs %s = %s: %s", option, value, text_string(&error));
        return done;
}

bool draft_restrict(struct draft *draft, struct draft_pool *pool, const char *option, const char *value)
{
        _cleanup_(text_clear) struct text error = {0};
        bool done = set(draft, pool, option, value, &error);

        if (!done)
                draft_close(draft, pool, "it needs %s = %s: %s", option, value, text_string(&error));
        return done;
}

void draft_close(struct draft *draft, struct draft_pool *pool, const char *format, ...)
{
        _cleanup_(text_clear) struct text error = {0};
        va_list arguments;

        draft->undecided = true;
        if (!pool)
                return;
        va_start(arguments, format);
        note(draft, pool, "closed: ", format, arguments);
        va_end(arguments);
        if (!pool->closed && try("deny", EVERYBODY, &error) < 0)
                draft_leave_out(draft, pool, "this version of preforkd has no deny, by which it could be closed");
        pool->closed = true;
}

static bool add_word(struct draft *draft, struct draft_pool *pool, const char *option, const char *word, bool append)
{
        _cleanup_(text_clear) struct text value = {0};
        const char *before = append ? draft_value(pool, option) : "";

        if (text_appendf(&value, "%s%s", before, before[0] == '\0' ? "" : " ") < 0 || words_quote(&value, word) < 0) {
                draft->out_of_memory = true;
                return false;
        }
        return draft_set(draft, pool, option, text_string(&value));
}

bool draft_set_word(struct draft *draft, struct draft_pool *pool, const char *option, const char *word)
{
        return add_word(draft, pool, option, word, false);
}

bool draft_add_word(struct draft *draft, struct draft_pool *pool, const char *option, const char *word)
{
        return add_word(draft, pool, option, word, true);
}

void draft_clear(struct draft *draft)
{
        for (size_t i = 0; i < draft->pool_count; i++)
                pool_free(draft->pools[i]);
        free(draft->pools);
        text_clear(&draft->notes);
        *draft = (struct draft){0};
}
