#include "builtin/builtin.h"

#include <stddef.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "builtin/agent.h"
#include "builtin/redirect.h"
#include "builtin/small_services.h"

const struct prefork_module *builtin_find(const char *name)
{
        static const struct prefork_module *const modules[] = {
                &builtin_echo,    &builtin_discard,  &builtin_daytime, &builtin_time,
                &builtin_chargen, &builtin_redirect, &builtin_agent,
        };

        for (size_t i = 0; i < ELEMENTS(modules); i++)
                if (text_equal(modules[i]->name, name))
                        return modules[i];
        return NULL;
}
