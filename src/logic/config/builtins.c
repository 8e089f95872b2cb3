#include "logic/config/builtins.h"

#include "base/cleanup.h"
#include "base/text.h"

const struct builtin_name builtin_names[] = {
        {.name = "echo", .datagrams = BUILTIN_DATAGRAMS_ANSWERED},
        {.name = "discard", .datagrams = BUILTIN_DATAGRAMS_SILENT},
        {.name = "daytime", .datagrams = BUILTIN_DATAGRAMS_ANSWERED},
        {.name = "time", .datagrams = BUILTIN_DATAGRAMS_ANSWERED},
        {.name = "chargen", .datagrams = BUILTIN_DATAGRAMS_ANSWERED},
        {.name = "redirect", .argument = "ADDRESS:PORT or /PATH"},
        {.name = BUILTIN_STATUS},
        {.name = BUILTIN_AGENT, .argument = "POOL", .names_pool = true},
};
const size_t builtin_names_count = ELEMENTS(builtin_names);

const struct builtin_name *builtin_name_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(builtin_names); i++)
                if (text_equal(builtin_names[i].name, name))
                        return &builtin_names[i];
        return NULL;
}
