#include "base/secret_words.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"

struct words secret_words_view(const struct secret_words *secret)
{
        return (struct words){.list = secret->list, .count = secret->count};
}

/* The list, and the words behind it. */
int secret_words_set(struct secret_words *secret, const struct words *words)
{
        size_t size = (words->count + 1) * sizeof(char *);
        struct secret_words copy = {.count = words->count};

        for (size_t i = 0; i < words->count; i++)
                size += strlen(words->list[i]) + 1;
        copy.list = words->count > 0 ? secret_new(size) : NULL;
        if (!copy.list && words->count > 0)
                return -ENOMEM;
        char *at = (char *)(copy.list + words->count + 1);
        for (size_t i = 0; i < words->count; i++) {
                size_t length = strlen(words->list[i]) + 1;
                copy.list[i] = memcpy(at, words->list[i], length);
                at += length;
        }
        secret_words_clear(secret);
        *secret = copy;
        return 0;
}

int secret_words_add(struct secret_words *secret, const char *word)
{
        _cleanup_(freep) char **list = calloc(secret->count + 2, sizeof(*list));

        if (!list)
                return -ENOMEM;
        if (secret->count > 0)
                memcpy(list, secret->list, secret->count * sizeof(*list));
        list[secret->count] = (char *)(uintptr_t)word;
        return secret_words_set(secret, &(struct words){.list = list, .count = secret->count + 1});
}

void secret_words_clear(struct secret_words *secret)
{
        secret_free(secret->list);
        *secret = (struct secret_words){0};
}
