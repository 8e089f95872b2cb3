#include "lib/decimal.h"

#include <stddef.h>

bool decimal_next(const char **text, uint64_t *ret)
{
        const char *at = *text;
        uint64_t value = 0;

        while (*at == ' ')
                at++;
        const char *first = at;
        for (; *at >= '0' && *at <= '9'; at++)
                if (__builtin_mul_overflow(value, 10U, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
                        return false;
        if (at == first)
                return false;
        *text = at;
        *ret = value;
        return true;
}

bool decimal_parse(const char *text, uint64_t most, uint64_t *ret)
{
        uint64_t value;

        if (*text == ' ' || !decimal_next(&text, &value) || *text != '\0' || value > most)
                return false;
        *ret = value;
        return true;
}
