#include "logic/config/ini_writer.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"

#define INDENT "        "
/* Where a line is broken if it can be. */
#define WRAP_COLUMN 120

struct writer {
        struct text *text;
        size_t line_start; /* offset in `text` of the line being written */
};

static int begin_line(struct writer *writer)
{
        int r = text_append(writer->text, "\n");

        writer->line_start = writer->text->length;
        return r < 0 ? r : text_append(writer->text, INDENT);
}

/* Quote `word` even if it needs no quotes: at the start of an indented line `user=x` would look like a key. */
static int quote_always(struct text *text, const char *word)
{
        size_t before = text->length;
        int r = words_quote(text, word);

        if (r < 0 || text->bytes[before] == '\'')
                return r;
        text_cut(text, before);
        return text_appendf(text, "'%s'", word);
}

static int write_word(struct writer *writer, const char *word)
{
        _cleanup_(text_clear) struct text quoted = {0};
        int r = words_quote(&quoted, word);

        if (r < 0)
                return r;
        if (writer->text->length - writer->line_start + 1 + quoted.length <= WRAP_COLUMN)
                return text_appendf(writer->text, " %s", text_string(&quoted));
        r = begin_line(writer);
        return r < 0 ? r : quote_always(writer->text, word);
}

int ini_write_value(struct text *text, const char *key, const char *value)
{
        struct writer writer = {.text = text, .line_start = text->length};
        _cleanup_(words_clear) struct words words = {0};
        int r = words_split(value, &words);

        if (r == 0)
                r = text_appendf(text, "%s =", key);
        for (size_t i = 0; i < words.count && r == 0; i++)
                r = write_word(&writer, words.list[i]);
        return r < 0 ? r : text_append(text, "\n");
}

int ini_write_line_directive(struct text *text, struct ini_place place)
{
        int r = text_appendf(text, "#line %u \"", place.line);

        for (const char *at = place.file ? place.file : ""; *at != '\0' && r == 0; at++) {
                if (*at == '\n')
                        r = text_append(text, "\\n");
                else if (*at == '"' || *at == '\\')
                        r = text_appendf(text, "\\%c", *at);
                else
                        r = text_append_bytes(text, at, 1);
        }
        return r < 0 ? r : text_append(text, "\"\n");
}
