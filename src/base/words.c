#include "base/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\n';
}

/* What the list of so many words and its NULL has room for: it doubles. */
static size_t capacity(size_t count)
{
        size_t room = 2;

        while (room < count + 1)
                room *= 2;
        return room;
}

int words_add(struct words *words, const char *word)
{
        _cleanup_(freep) char *copy = strdup(word);
        size_t room = capacity(words->count + 1);
        char **list = words->list;

        if (copy && (!list || room != capacity(words->count)))
                list = realloc(list, room * sizeof(*list));
        if (!copy || !list)
                return -ENOMEM;
        list[words->count++] = TAKE_PTR(copy);
        list[words->count] = NULL;
        words->list = list;
        return 0;
}

/* Read the word that starts at *cursor into `word` and move *cursor past it. */
static int read_word(const char **cursor, struct text *word)
{
        const char *at = *cursor;
        char quote = '\0';
        int r = 0;

        for (; *at != '\0' && (quote || !is_blank(*at)) && r == 0; at++) {
                if (quote ? *at == quote : *at == '\'' || *at == '"') {
                        quote = quote ? '\0' : *at;
                        continue;
                }
                bool escapes = *at == '\\' && (quote == '\0' || (quote == '"' && (at[1] == '"' || at[1] == '\\')));
                if (escapes && *++at == '\0')
                        return -EINVAL;
                r = text_append_bytes(word, at, 1);
        }
        *cursor = at;
        return quote ? -EINVAL : r;
}

int words_split(const char *string, struct words *ret)
{
        _cleanup_(words_clear) struct words words = {0};
        _cleanup_(text_clear) struct text word = {0};

        for (;;) {
                while (is_blank(*string))
                        string++;
                if (*string == '\0')
                        break;
                text_truncate(&word);
                int r = read_word(&string, &word);
                if (r == 0)
                        r = words_add(&words, text_string(&word));
                if (r < 0)
                        return r;
        }
        *ret = words;
        words = (struct words){0};
        return 0;
}

int words_copy(const struct words *words, struct words *ret)
{
        words_clear(ret);
        for (size_t i = 0; i < words->count; i++)
                if (words_add(ret, words->list[i]) < 0) {
                        words_clear(ret);
                        return -ENOMEM;
                }
        return 0;
}

/* Bytes that need no quotes anywhere a word may stand. */
static bool is_plain(const char *word)
{
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:=@%,*[]{}~^!";

        return *word != '\0' && word[strspn(word, plain)] == '\0';
}

int words_quote(struct text *text, const char *word)
{
        if (is_plain(word))
                return text_append(text, word);

        size_t before = text->length;
        int r = text_append(text, "'");
        for (; *word != '\0' && r == 0; word++)
                r = *word == '\'' ? text_append(text, "'\\''") : text_append_bytes(text, word, 1);
        if (r == 0)
                r = text_append(text, "'");
        if (r < 0)
                text_cut(text, before);
        return r;
}

int words_join(struct text *text, const struct words *words)
{
        int r = 0;

        for (size_t i = 0; i < words->count && r == 0; i++) {
                if (i > 0)
                        r = text_append(text, " ");
                if (r == 0)
                        r = words_quote(text, words->list[i]);
        }
        return r;
}

void words_clear(struct words *words)
{
        for (size_t i = 0; i < words->count; i++)
                wiped_free(words->list[i]);
        free(words->list);
        *words = (struct words){0};
}
