#include "logic/config/builtins.h"

#include "base/cleanup.h"
#include "base/text.h"

const struct builtin_name builtin_names[] = {
        {"echo", NULL, BUILTIN_DATAGRAMS_ANSWERED},     {"discard", NULL, BUILTIN_DATAGRAMS_SILENT},
        {"daytime", NULL, BUILTIN_DATAGRAMS_ANSWERED},  {"time", NULL, BUILTIN_DATAGRAMS_ANSWERED},
        {"chargen", NULL, BUILTIN_DATAGRAMS_ANSWERED},  {"redirect", "ADDRESS:PORT or /PATH", BUILTIN_DATAGRAMS_NONE},
        {BUILTIN_STATUS, NULL, BUILTIN_DATAGRAMS_NONE},
};
const size_t builtin_names_count = ELEMENTS(builtin_names);

const struct builtin_name *builtin_name_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(builtin_names); i++)
                if (text_equal(builtin_names[i].name, name))
                        return &builtin_names[i];
        return NULL;
}
