#include "logic/config/builtins.h"

#include "base/cleanup.h"
#include "base/text.h"

const struct builtin_name builtin_names[] = {
        {"echo", NULL}, {"discard", NULL}, {"daytime", NULL},
        {"time", NULL}, {"chargen", NULL}, {"redirect", "ADDRESS:PORT or /PATH"},
};
const size_t builtin_names_count = ELEMENTS(builtin_names);

const struct builtin_name *builtin_name_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(builtin_names); i++)
                if (text_equal(builtin_names[i].name, name))
                        return &builtin_names[i];
        return NULL;
}
