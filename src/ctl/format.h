/* Documents and tables for people. Pure; used for what preforkctl prints and for what `top` draws. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "ctl/style.h"
#include "base/figures.h"

/* A member of a document by its path, such as "counts.idle"; 0 or "" if it is missing or of another type. */
json_t *ctl_at(const json_t *object, const char *path);
uint64_t ctl_number(const json_t *object, const char *path);
double ctl_real(const json_t *object, const char *path);
const char *ctl_string(const json_t *object, const char *path);

/* How many of the first bytes of UTF-8 fill so many columns of a screen, at most; *ret_columns: they fill so many. */
size_t ctl_bytes_of(const char *bytes, size_t length, size_t columns, size_t *ret_columns);

/* A table; each column is as wide as its widest cell. Zero-initialise, but for `style` and `needed`: if the style has a
 * width, as many columns from the right are left out as do not fit, but not the first `needed` ones. */
#define CTL_COLUMNS_MAX 24

struct ctl_cell {
        char *text;
        enum ctl_colour colour;
};

struct ctl_table {
        struct ctl_style style;
        size_t needed; /* 0: all */
        struct {
                const char *title;
                bool right; /* numbers */
                size_t width;
        } columns[CTL_COLUMNS_MAX];
        size_t column_count;
        struct ctl_cell *cells; /* row by row; texts are owned */
        size_t cell_count;
        bool out_of_memory;
};

void ctl_table_column(struct ctl_table *table, const char *title, bool right);

/* Add the next cell, from left to right and row by row. */
void ctl_table_cell(struct ctl_table *table, const char *cell);
void ctl_table_state(struct ctl_table *table, const char *state); /* in its colour, if the style has any */
void ctl_table_number(struct ctl_table *table, uint64_t number);

/* How many columns are shown, and how wide they are, for so many blanks before each line. */
size_t ctl_table_shown(const struct ctl_table *table, unsigned indent, size_t *ret_width);

/* Append the table, each line after `indent` blanks. 0 or -ENOMEM. */
int ctl_table_render(struct ctl_table *table, unsigned indent, struct text *text);

void ctl_table_clear(struct ctl_table *table);
