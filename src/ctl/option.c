#include "ctl/option.h"

#include <string.h>

#include "base/text.h"

bool ctl_option_take(char *const *arguments, int *at, const char *short_name, const char *long_name,
                     const char **ret_value)
{
        const char *argument = arguments[*at];
        size_t length = strlen(long_name);

        if ((short_name && text_equal(argument, short_name)) || text_equal(argument, long_name))
                *ret_value = arguments[*at + 1] ? arguments[++*at] : NULL;
        else if (strncmp(argument, long_name, length) == 0 && argument[length] == '=')
                *ret_value = &argument[length + 1];
        else if (short_name && text_starts_with(argument, short_name))
                *ret_value = &argument[2];
        else
                return false;
        return true;
}
