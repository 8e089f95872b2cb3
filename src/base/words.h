/* Words: a command line, split as a shell splits it, without expansions.
 *
 * Blanks separate words; '…' takes everything literally; "…" knows \" and \\; outside quotes \ takes the next byte.
 * No variables, no globs, no comments. Used for `handler`, `environment`, `listen` and every other
 * value that is a list. A list owns its words and ends in NULL, so that it serves as argv.
 * Words are wiped before they are freed (base/secret). */
#pragma once

#include <stddef.h>

struct text;

struct words {
        char **list; /* NULL-terminated; NULL when empty and never filled */
        size_t count;
};

/* Split `string`. 0, -EINVAL (an unclosed quote, a \ at the end), -ENOMEM; *ret is left alone on failure. */
int words_split(const char *string, struct words *ret);

/* Append a copy of `word`. 0 or -ENOMEM. */
int words_add(struct words *words, const char *word);

/* Replace *ret (which is cleared first) by a copy. 0 or -ENOMEM. */
int words_copy(const struct words *words, struct words *ret);

/* Append one word, or all of them separated by one blank, quoted so that words_split() gives them back. 0 or
 * -ENOMEM. */
int words_quote(struct text *text, const char *word);
int words_join(struct text *text, const struct words *words);

void words_clear(struct words *words);
