#include "logic/config/handler_files.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "base/words.h"

#define WORDS_OF_A_FILE 6 /* its name and the numbers */

static const struct handler_file *find(const struct handler_files *files, const char *name)
{
        for (size_t i = 0; i < files->count; i++)
                if (text_equal(files->items[i].name, name))
                        return &files->items[i];
        return NULL;
}

int handler_files_add(struct handler_files *files, const char *name, const struct file_id *id)
{
        if (find(files, name))
                return 0;
        struct handler_file *items = realloc(files->items, (files->count + 1) * sizeof(*items));
        if (!items)
                return -ENOMEM;
        files->items = items;
        char *copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        items[files->count++] = (struct handler_file){.name = copy, .id = *id};
        return 0;
}

static bool is_same(const struct file_id *a, const struct file_id *b)
{
        return a->device == b->device && a->inode == b->inode && a->size == b->size &&
               a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

bool handler_files_differ(const struct handler_files *before, const struct handler_file *now)
{
        const struct handler_file *then = find(before, now->name);

        return before->count > 0 && !(then && is_same(&then->id, &now->id));
}

int handler_files_print(const struct handler_files *files, struct text *text)
{
        int r = 0;

        for (size_t i = 0; i < files->count && r == 0; i++) {
                const struct file_id *id = &files->items[i].id;
                r = text_append(text, i > 0 ? " " : "");
                if (r == 0)
                        r = words_quote(text, files->items[i].name);
                if (r == 0)
                        r = text_appendf(text, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, id->device,
                                         id->inode, id->size, id->modified_ns, id->changed_ns);
        }
        return r;
}

static int parse_file(char *const *words, struct handler_files *files)
{
        struct file_id id;
        uint64_t *const numbers[] = {&id.device, &id.inode, &id.size, &id.modified_ns, &id.changed_ns};
        static_assert(ELEMENTS(numbers) + 1 == WORDS_OF_A_FILE, "a word for each number");

        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                if (number_parse(words[i + 1], numbers[i]) < 0)
                        return -EINVAL;
        return handler_files_add(files, words[0], &id);
}

int handler_files_parse(const char *string, struct handler_files *ret)
{
        _cleanup_(words_clear) struct words words = {0};
        struct handler_files files = {0};

        int r = words_split(string, &words);
        if (r == 0 && words.count % WORDS_OF_A_FILE != 0)
                r = -EINVAL;
        for (size_t i = 0; i < words.count && r == 0; i += WORDS_OF_A_FILE)
                r = parse_file(&words.list[i], &files);
        if (r < 0) {
                handler_files_clear(&files);
                return r;
        }
        handler_files_clear(ret);
        *ret = files;
        return 0;
}

void handler_files_clear(struct handler_files *files)
{
        for (size_t i = 0; i < files->count; i++)
                free(files->items[i].name);
        free(files->items);
        *files = (struct handler_files){0};
}
