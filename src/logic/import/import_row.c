#include "logic/import/import_row.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static bool is_same(const char *a, const char *b, bool any_case)
{
        return any_case ? strcasecmp(a, b) == 0 : text_equal(a, b);
}

const struct import_row *import_row_find(const struct import_row *rows, size_t count, const char *word, bool any_case)
{
        for (size_t i = 0; i < count; i++)
                if (is_same(rows[i].word, word, any_case))
                        return &rows[i];
        return NULL;
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
        static const char *const yes[] = {"yes", "on", "true", "1", "y", "t"};

        for (size_t i = 0; i < ELEMENTS(yes); i++)
                if (strcasecmp(value, yes[i]) == 0)
                        return true;
        return false;
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
        draft_set(draft, pool, row->ours, import_is_yes(directive->value) ? "yes" : "no");
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

IMPORT_TAKE(import_take_nothing)
{
        (void)draft;
        (void)pool;
        (void)row;
        (void)directive;
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
