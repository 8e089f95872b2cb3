/* The builtin handlers (handler_type = builtin) by name, and what follows their names. What they do is in builtin/. */
#pragma once

#include <stddef.h>

struct builtin_name {
        const char *name;
        const char *argument; /* what its one argument is, for people; NULL: it has none */
};

extern const struct builtin_name builtin_names[];
extern const size_t builtin_names_count;

/* The row of that name; NULL: there is none. */
const struct builtin_name *builtin_name_find(const char *name);
