#include "logic/import/import_row.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

#define SECONDS_MAX 31536000U

static bool is_same(const char *pattern, const char *word, bool any_case)
{
        size_t length = strlen(pattern);

        if (length > 0 && pattern[length - 1] == '*')
                return strncmp(pattern, word, length - 1) == 0;
        return any_case ? strcasecmp(pattern, word) == 0 : text_equal(pattern, word);
}

const struct import_row *import_row_find(const struct import_row *rows, size_t count, const char *word, bool any_case)
{
        for (size_t i = 0; i < count; i++)
                if (is_same(rows[i].word, word, any_case))
                        return &rows[i];
        return NULL;
}

static bool is_one_of(const char *value, const char *const *words)
{
        while (*words && strcasecmp(value, *words) != 0)
                words++;
        return *words != NULL;
}

void import_row_take(struct draft *draft, struct draft_pool *pool, const struct import_row *row,
                     const struct import_directive *directive)
{
        draft->word = directive->word;
        draft->value = directive->value;
        if (!row)
                draft_ask(draft, pool, "unknown here (%s:%u); look up what it means", directive->file, directive->line);
        else if (row->take)
                row->take(draft, pool, row, directive);
        draft->word = draft->value = NULL;
}

bool import_is_yes(const char *value)
{
        return is_one_of(value, (const char *const[]){"yes", "on", "true", "1", "y", "t", NULL});
}

IMPORT_TAKE(import_take_same)
{
        draft_set(draft, pool, row->ours, directive->value);
}

IMPORT_TAKE(import_take_word)
{
        draft_set_word(draft, pool, row->ours, directive->value);
}

IMPORT_TAKE(import_take_yes_no)
{
        if (import_is_yes(directive->value))
                draft_set(draft, pool, row->ours, "yes");
        else if (is_one_of(directive->value, (const char *const[]){"no", "off", "false", "0", "n", "f", "none", NULL}))
                draft_set(draft, pool, row->ours, "no");
        else
                draft_ask(draft, pool, "neither yes nor no");
}

IMPORT_TAKE(import_take_note)
{
        (void)directive;
        draft_note(draft, pool, "%s", row->advice);
}

IMPORT_TAKE(import_take_ask)
{
        (void)directive;
        draft_ask(draft, pool, "%s", row->advice);
}

IMPORT_TAKE(import_take_close)
{
        (void)directive;
        draft_close(draft, pool, "%s", row->advice);
}

IMPORT_TAKE(import_take_restriction)
{
        draft_restrict(draft, pool, row->ours, directive->value);
}

IMPORT_TAKE(import_take_limit)
{
        _cleanup_(text_clear) struct text value = {0};
        int r = 0;

        for (const char *at = directive->value; *at != '\0' && r == 0;) {
                size_t length = strcspn(at, ":");
                if (length == strlen("unlimited") && strncasecmp(at, "unlimited", length) == 0)
                        r = text_append(&value, "infinity");
                else
                        r = text_append_bytes(&value, at, length);
                at += length;
                if (*at == ':' && r == 0)
                        r = text_append_bytes(&value, at++, 1);
        }
        if (r < 0)
                draft->out_of_memory = true;
        else
                draft_set(draft, pool, row->ours, text_string(&value));
}

/* Append the time span (`1min 30s`, `infinity`) as a duration; infinity is 0. 0, -EINVAL or -ENOMEM. */
static int convert_time(const char *value, struct text *duration)
{
        static const struct {
                const char *unit;
                uint64_t ms;
        } units[] = {
                {"", 1000},         {"s", 1000},       {"sec", 1000},      {"second", 1000},  {"seconds", 1000},
                {"ms", 1},          {"msec", 1},       {"m", 60000},       {"min", 60000},    {"minute", 60000},
                {"minutes", 60000}, {"h", 3600000},    {"hr", 3600000},    {"hour", 3600000}, {"hours", 3600000},
                {"d", 86400000},    {"day", 86400000}, {"days", 86400000},
        };
        uint64_t total = 0;

        if (text_equal(value, "infinity"))
                return text_append(duration, "0");
        while (*value != '\0') {
                uint64_t number = 0;
                if (!isdigit((unsigned char)*value))
                        return -EINVAL;
                for (; isdigit((unsigned char)*value); value++)
                        if ((number = number * 10 + (uint64_t)(*value - '0')) > SECONDS_MAX)
                                return -EINVAL;
                value += strspn(value, " \t");
                size_t length = strspn(value, "abcdefghijklmnopqrstuvwxyz"), u = 0;
                while (u < ELEMENTS(units) &&
                       (strlen(units[u].unit) != length || strncmp(units[u].unit, value, length) != 0))
                        u++;
                if (u == ELEMENTS(units))
                        return -EINVAL;
                total += number * units[u].ms;
                value += length + strspn(value + length, " \t");
        }
        return number_format_duration_ms(duration, total);
}

IMPORT_TAKE(import_take_time)
{
        _cleanup_(text_clear) struct text duration = {0};
        int r = convert_time(directive->value, &duration);

        if (r == -ENOMEM)
                draft->out_of_memory = true;
        else if (r < 0)
                draft_ask(draft, pool, "not carried over as %s: no time", row->ours);
        else
                draft_set(draft, pool, row->ours, text_string(&duration));
}
