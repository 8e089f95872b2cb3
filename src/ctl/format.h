/* Numbers, documents and tables for people. Pure; used for what preforkctl prints and for what `top` draws. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "ctl/style.h"

/* The size of the buffer for each number below. */
#define CTL_NUMBER_MAX 32

/* "12ms", "4.2s", "3m 10s", "5h 02m", "12d 3h"; "417K", "1.3M"; "0", "3.1", "1200". Each returns `text`. */
const char *ctl_duration(uint64_t ms, char text[static CTL_NUMBER_MAX]);
const char *ctl_microseconds(uint64_t us, char text[static CTL_NUMBER_MAX]);
const char *ctl_size(uint64_t bytes, char text[static CTL_NUMBER_MAX]);
const char *ctl_rate(double per_second, char text[static CTL_NUMBER_MAX]);
const char *ctl_count(uint64_t count, char text[static CTL_NUMBER_MAX]);

/* A member of a document by its path, such as "counts.idle"; 0 or "" if it is missing or of another type. */
json_t *ctl_at(const json_t *object, const char *path);
uint64_t ctl_number(const json_t *object, const char *path);
double ctl_real(const json_t *object, const char *path);
const char *ctl_string(const json_t *object, const char *path);

/* A table; each column is as wide as its widest cell. Zero-initialise, but for `style` and `needed`: if the style has a
 * width, as many columns from the right are left out as do not fit, but not the first `needed` ones. */
#define CTL_COLUMNS_MAX 20

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

/* Append the table, each line after `indent` blanks. 0 or -ENOMEM. */
int ctl_table_render(struct ctl_table *table, unsigned indent, struct text *text);

void ctl_table_clear(struct ctl_table *table);
