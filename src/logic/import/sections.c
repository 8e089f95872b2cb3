#include "logic/import/sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "logic/import/lines.h"

/* 0 or -ENOMEM. */
static int add(struct sections *sections, const char *section, const char *key, const char *value,
               const struct import_lines *lines)
{
        struct section_item *items = reallocarray(sections->items, sections->count + 1, sizeof(*items));

        if (!items)
                return -ENOMEM;
        sections->items = items;
        struct section_item item = {.section = strdup(section),
                                    .key = strdup(key),
                                    .value = strdup(value),
                                    .file = lines->source->name,
                                    .line = lines->number};
        items[sections->count++] = item; /* freed in any case */
        return item.section && item.key && item.value ? 0 : -ENOMEM;
}

/* 0, -EINVAL or -ENOMEM. */
static int read_line(struct sections *sections, char *line, struct text *section, const struct import_lines *lines)
{
        char *equals = strchr(line, '=');
        size_t length = strlen(line);

        if (line[0] == '[' && line[length - 1] == ']') {
                text_truncate(section);
                return text_append_bytes(section, line + 1, length - 2);
        }
        if (!equals || equals == line)
                return -EINVAL;
        *equals = '\0';
        return add(sections, text_string(section), import_trim(line), import_trim(equals + 1), lines);
}

int sections_read(struct sections *sections, const struct import_source *source, const char *marks, bool joins)
{
        struct import_lines lines = {.source = source, .joins = joins};
        _cleanup_(text_clear) struct text section = {0};
        int r = 0;

        for (char *line; r == 0 && (line = import_lines_next(&lines, marks));) {
                _cleanup_(freep) char *whole = strdup(line);
                r = whole ? read_line(sections, line, &section, &lines) : -ENOMEM;
                if (r == -EINVAL)
                        r = text_appendf(&sections->unread, "%s:%u: %s\n", source->name, lines.number, whole);
        }
        import_lines_clear(&lines);
        return lines.out_of_memory ? -ENOMEM : r;
}

void sections_clear(struct sections *sections)
{
        for (size_t i = 0; i < sections->count; i++) {
                free(sections->items[i].section);
                free(sections->items[i].key);
                free(sections->items[i].value);
        }
        free(sections->items);
        text_clear(&sections->unread);
        *sections = (struct sections){0};
}
