#include "logic/import/xinetd_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

bool xinetd_file_is_read(const char *name)
{
        return name[0] != '\0' && !strchr(name, '.') && name[strlen(name) - 1] != '~';
}

/* The value of `include` or `includedir`, if the line is one; else NULL. */
static char *include_value(char *line, const char *keyword)
{
        size_t length = strlen(keyword);

        if (strncmp(line, keyword, length) != 0 || (line[length] != ' ' && line[length] != '\t'))
                return NULL;
        return import_trim(line + length);
}

int xinetd_file_includes(const struct import_source *source, struct words *files, struct words *directories)
{
        struct import_lines lines = {.source = source};
        int r = 0;

        for (char *line; r == 0 && (line = import_lines_next(&lines, "#"));) {
                const char *file = include_value(line, "include"), *directory = include_value(line, "includedir");
                if (file)
                        r = words_add(files, file);
                else if (directory)
                        r = words_add(directories, directory);
        }
        import_lines_clear(&lines);
        return lines.out_of_memory ? -ENOMEM : r;
}

static struct xinetd_block *add_block(struct xinetd_file *file, const char *service, const char *name, unsigned line)
{
        struct xinetd_block *blocks = reallocarray(file->blocks, file->count + 1, sizeof(*blocks));
        char *copy = service ? strdup(service) : NULL;

        if (blocks)
                file->blocks = blocks;
        if (!blocks || (service && !copy)) {
                free(copy);
                return NULL;
        }
        struct xinetd_block *block = &blocks[file->count++];
        *block = (struct xinetd_block){.service = copy, .file = name, .line = line};
        return block;
}

/* Add `name = value` (or += or -=). 0, -EINVAL (no such line), -ENOMEM. */
static int add_attribute(struct xinetd_block *block, char *line, unsigned number)
{
        char *equals = strchr(line, '=');

        if (!equals || equals == line)
                return -EINVAL;
        char operation = equals[-1] == '+' || equals[-1] == '-' ? equals[-1] : '=';
        *(operation == '=' ? equals : equals - 1) = '\0';
        struct xinetd_attribute *list = reallocarray(block->attributes, block->count + 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        block->attributes = list;
        struct xinetd_attribute attribute = {.name = strdup(import_trim(line)),
                                             .operation = operation,
                                             .value = strdup(import_trim(equals + 1)),
                                             .file = block->file,
                                             .line = number};
        if (!attribute.name || !attribute.value) {
                free(attribute.name);
                free(attribute.value);
                return -ENOMEM;
        }
        list[block->count++] = attribute;
        return 0;
}

/* `service NAME` or `defaults`, perhaps with the `{`. 0, -EINVAL or -ENOMEM. */
static int begin_block(struct xinetd_file *file, char *line, const struct import_lines *lines)
{
        size_t length = strcspn(line, "{");
        line[length] = '\0';
        char *rest = import_trim(line);
        const char *keyword = import_word(&rest);
        bool is_service = text_equal(keyword, "service") && rest[0] != '\0';

        if (!is_service && !(text_equal(keyword, "defaults") && rest[0] == '\0'))
                return -EINVAL;
        return add_block(file, is_service ? rest : NULL, lines->source->name, lines->number) ? 0 : -ENOMEM;
}

/* Where the reader is. What stands in a block whose beginning was not understood belongs to no other. */
struct place {
        bool inside; /* between braces */
        bool known;  /* of the last block of the file */
};

/* 0, -EINVAL (not understood) or -ENOMEM. */
static int read_line(struct xinetd_file *file, char *line, const struct import_lines *lines, struct place *place)
{
        if (text_equal(line, "{")) {
                place->inside = true;
                return 0;
        }
        if (text_equal(line, "}")) {
                *place = (struct place){0};
                return 0;
        }
        if (place->inside)
                return place->known ? add_attribute(&file->blocks[file->count - 1], line, lines->number) : -EINVAL;
        if (include_value(line, "include") || include_value(line, "includedir"))
                return 0;
        place->inside = strchr(line, '{') != NULL;
        int r = begin_block(file, line, lines);
        place->known = r == 0;
        return r;
}

int xinetd_file_read(struct xinetd_file *file, const struct import_source *source)
{
        struct import_lines lines = {.source = source};
        struct place place = {0};
        int r = 0;

        for (char *line; r == 0 && (line = import_lines_next(&lines, "#"));) {
                _cleanup_(freep) char *whole = strdup(line);
                r = whole ? read_line(file, line, &lines, &place) : -ENOMEM;
                if (r == -EINVAL)
                        r = text_appendf(&file->unread, "%s:%u: %s\n", source->name, lines.number, whole);
        }
        import_lines_clear(&lines);
        return lines.out_of_memory ? -ENOMEM : r;
}

void xinetd_file_clear(struct xinetd_file *file)
{
        for (size_t b = 0; b < file->count; b++) {
                struct xinetd_block *block = &file->blocks[b];
                for (size_t i = 0; i < block->count; i++) {
                        free(block->attributes[i].name);
                        free(block->attributes[i].value);
                }
                free(block->attributes);
                free(block->service);
        }
        free(file->blocks);
        text_clear(&file->unread);
        *file = (struct xinetd_file){0};
}
