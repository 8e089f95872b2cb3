/* Words that are a secret (base/secret), all of them in one: the variables of a handler's environment. */
#pragma once

#include <stddef.h>

#include "base/words.h"

/* Zero-initialise; end with secret_words_clear(). */
struct secret_words {
        char **list; /* a secret that holds the NULL-terminated list and the words; NULL: there are none */
        size_t count;
};

/* Replace them by a copy, or append one. 0; -ENOMEM: nothing has changed. */
int secret_words_set(struct secret_words *secret, const struct words *words);
int secret_words_add(struct secret_words *secret, const char *word);

/* Borrow them, for reading. */
struct words secret_words_view(const struct secret_words *secret);

void secret_words_clear(struct secret_words *secret);
