/* Problems: errors as text for people, with the file and line they are about.
 *
 * Code that reads input collects every problem it finds, so that a user sees all of them at once; its caller decides
 * what to do with them. A list owns its texts; zero-initialise, end with problem_list_clear(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text;

struct problem {
        char *file;    /* NULL: not about a file */
        unsigned line; /* 1-based; 0: about the file as a whole */
        bool warning;  /* shown, but no reason to refuse */
        char *text;
};

struct problem_list {
        struct problem *items;
        size_t count;
        size_t error_count; /* items that are not warnings */
        bool out_of_memory; /* at least one problem could not be recorded; counts as an error */
};

/* Record an error or a warning; `file` may be NULL and is copied. Never fails: see out_of_memory. */
void problem_add(struct problem_list *list, const char *file, unsigned line, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void problem_warn(struct problem_list *list, const char *file, unsigned line, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Add copies of the errors of another list, without its warnings. */
void problem_list_add_errors(struct problem_list *list, const struct problem_list *from);

/* Add the errors of another list as warnings, each with what happens in spite of it: "…; CONSEQUENCE". */
void problem_list_add_warnings(struct problem_list *list, const struct problem_list *from, const char *consequence);

/* True if anything in the list is a reason to refuse. */
bool problem_list_refuses(const struct problem_list *list);

/* Append one problem as `file:line: text` (what it has of them), without a newline. 0 or -ENOMEM. */
int problem_format(const struct problem *problem, struct text *text);

void problem_list_clear(struct problem_list *list);
