#include "ctl/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

json_t *ctl_at(const json_t *object, const char *path)
{
        const json_t *at = object;

        while (at) {
                char key[64];
                size_t length = strcspn(path, ".");
                snprintf(key, sizeof(key), "%.*s", (int)length, path);
                at = json_object_get(at, key);
                if (path[length] == '\0')
                        break;
                path += length + 1;
        }
        return (json_t *)(uintptr_t)at; /* as json_object_get() itself does */
}

uint64_t ctl_number(const json_t *object, const char *path)
{
        json_int_t number = json_integer_value(ctl_at(object, path));

        return number > 0 ? (uint64_t)number : 0;
}

double ctl_real(const json_t *object, const char *path)
{
        return json_number_value(ctl_at(object, path));
}

const char *ctl_string(const json_t *object, const char *path)
{
        const char *string = json_string_value(ctl_at(object, path));

        return string ? string : "";
}

/* On a screen, a byte that begins a UTF-8 character fills a column. */
static bool begins_character(char byte)
{
        return ((unsigned char)byte & 0xc0) != 0x80;
}

size_t ctl_bytes_of(const char *bytes, size_t length, size_t columns, size_t *ret_columns)
{
        size_t count = 0, at;

        for (at = 0; at < length; at++) {
                if (begins_character(bytes[at]) && count == columns)
                        break;
                count += begins_character(bytes[at]);
        }
        *ret_columns = count;
        return at;
}

static size_t width_of(const char *string)
{
        size_t width;

        ctl_bytes_of(string, strlen(string), SIZE_MAX, &width);
        return width;
}

void ctl_table_column(struct ctl_table *table, const char *title, bool right)
{
        if (table->column_count == CTL_COLUMNS_MAX)
                return;
        table->columns[table->column_count].title = title;
        table->columns[table->column_count].right = right;
        table->columns[table->column_count++].width = width_of(title);
}

static void add_cell(struct ctl_table *table, const char *string, enum ctl_colour colour)
{
        size_t column = table->cell_count % table->column_count, width = width_of(string);
        struct ctl_cell *cells = realloc(table->cells, (table->cell_count + 1) * sizeof(*cells));
        char *copy = cells ? strdup(string) : NULL;

        if (cells)
                table->cells = cells;
        if (!copy) {
                table->out_of_memory = true;
                return;
        }
        table->cells[table->cell_count++] = (struct ctl_cell){.text = copy, .colour = colour};
        table->columns[column].width = MAX_OF(table->columns[column].width, width);
}

void ctl_table_cell(struct ctl_table *table, const char *cell)
{
        add_cell(table, cell, CTL_PLAIN);
}

void ctl_table_state(struct ctl_table *table, const char *state)
{
        add_cell(table, state, table->style.colours ? ctl_colour_of_state(state) : CTL_PLAIN);
}

void ctl_table_number(struct ctl_table *table, uint64_t number)
{
        char text[FIGURE_MAX];

        ctl_table_cell(table, figure_count(number, text));
}

size_t ctl_table_shown(const struct ctl_table *table, unsigned indent, size_t *ret_width)
{
        size_t needed = table->needed > 0 ? table->needed : table->column_count, shown;

        *ret_width = indent;
        for (shown = 0; shown < table->column_count; shown++) {
                size_t width = *ret_width + table->columns[shown].width + (shown > 0 ? 2 : 0);
                if (shown >= needed && table->style.width > 0 && width > table->style.width)
                        break;
                *ret_width = width;
        }
        return shown;
}

static int append_coloured(const struct ctl_cell *cell, struct text *text)
{
        int r = cell->colour == CTL_PLAIN ? 0 : text_append(text, ctl_colour_sequence(cell->colour));

        if (r == 0)
                r = text_append(text, cell->text);
        return r == 0 && cell->colour != CTL_PLAIN ? text_append(text, ctl_colour_sequence(CTL_PLAIN)) : r;
}

/* Append one cell, padded with blanks on the side that its column needs; the last column has no trailing blanks. */
static int append_cell(const struct ctl_table *table, size_t column, bool last, const struct ctl_cell *cell,
                       struct text *text)
{
        size_t blanks = table->columns[column].width - MIN_OF(width_of(cell->text), table->columns[column].width);
        bool right = table->columns[column].right;
        int r = column > 0 ? text_append(text, "  ") : 0;

        if (r == 0 && right)
                r = text_appendf(text, "%*s", (int)blanks, "");
        if (r == 0)
                r = append_coloured(cell, text);
        if (r == 0 && !right && !last)
                r = text_appendf(text, "%*s", (int)blanks, "");
        if (r < 0 || !last)
                return r;
        while (text->length > 0 && text->bytes[text->length - 1] == ' ')
                text->bytes[--text->length] = '\0';
        return text_append(text, "\n");
}

int ctl_table_render(struct ctl_table *table, unsigned indent, struct text *text)
{
        size_t columns = table->column_count, width, shown = ctl_table_shown(table, indent, &width);
        int r = table->out_of_memory ? -ENOMEM : text_appendf(text, "%*s", (int)indent, "");

        for (size_t i = 0; i < shown && r == 0; i++) {
                char *title = (char *)(uintptr_t)table->columns[i].title; /* it is only read */
                r = append_cell(table, i, i + 1 == shown, &(const struct ctl_cell){.text = title}, text);
        }
        for (size_t i = 0; i < table->cell_count && r == 0; i++) {
                size_t column = i % columns;
                if (column == 0)
                        r = text_appendf(text, "%*s", (int)indent, "");
                if (r == 0 && column < shown)
                        r = append_cell(table, column, column + 1 == shown, &table->cells[i], text);
        }
        return r;
}

void ctl_table_clear(struct ctl_table *table)
{
        for (size_t i = 0; i < table->cell_count; i++)
                free(table->cells[i].text);
        free(table->cells);
        *table = (struct ctl_table){0};
}
