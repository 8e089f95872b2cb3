#include "base/problem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

static void add(struct problem_list *list, bool warning, const char *file, unsigned line, const char *format,
                va_list arguments) __attribute__((format(printf, 5, 0)));

static void add(struct problem_list *list, bool warning, const char *file, unsigned line, const char *format,
                va_list arguments)
{
        _cleanup_(text_clear) struct text text = {0};
        struct problem *items = NULL;
        char *file_copy = file ? strdup(file) : NULL;

        if (text_appendv(&text, format, arguments) == 0 && (!file || file_copy))
                items = realloc(list->items, (list->count + 1) * sizeof(*items));
        if (!items) {
                free(file_copy);
                list->out_of_memory = true;
                return;
        }
        list->items = items;
        items[list->count++] =
                (struct problem){.file = file_copy, .line = line, .warning = warning, .text = text_take(&text)};
        if (!warning)
                list->error_count++;
}

void problem_add(struct problem_list *list, const char *file, unsigned line, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        add(list, false, file, line, format, arguments);
        va_end(arguments);
}

void problem_warn(struct problem_list *list, const char *file, unsigned line, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        add(list, true, file, line, format, arguments);
        va_end(arguments);
}

void problem_list_add_errors(struct problem_list *list, const struct problem_list *from)
{
        for (size_t i = 0; i < from->count; i++)
                if (!from->items[i].warning)
                        problem_add(list, from->items[i].file, from->items[i].line, "%s", from->items[i].text);
        list->out_of_memory |= from->out_of_memory;
}

void problem_list_add_warnings(struct problem_list *list, const struct problem_list *from, const char *consequence)
{
        for (size_t i = 0; i < from->count; i++)
                if (!from->items[i].warning)
                        problem_warn(list, from->items[i].file, from->items[i].line, "%s; %s", from->items[i].text,
                                     consequence);
        list->out_of_memory |= from->out_of_memory;
}

bool problem_list_refuses(const struct problem_list *list)
{
        return list->error_count > 0 || list->out_of_memory;
}

int problem_format(const struct problem *problem, struct text *text)
{
        if (problem->file && problem->line > 0)
                return text_appendf(text, "%s:%u: %s", problem->file, problem->line, problem->text);
        if (problem->file)
                return text_appendf(text, "%s: %s", problem->file, problem->text);
        return text_append(text, problem->text);
}

void problem_list_clear(struct problem_list *list)
{
        for (size_t i = 0; i < list->count; i++) {
                free(list->items[i].file);
                free(list->items[i].text);
        }
        free(list->items);
        *list = (struct problem_list){0};
}
