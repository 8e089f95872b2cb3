#include "logic/config/pool_access.h"

#include <stdlib.h>

int pool_access_take(struct pool_access *access, const char *string)
{
        int r = access_rules_parse(string, &access->rules);

        access->is_known = r == 0;
        return r;
}

void pool_access_clear(struct pool_access *access)
{
        access_rules_clear(&access->rules);
        free(access->table);
        *access = (struct pool_access){0};
}
