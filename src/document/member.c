#include "document/member.h"

uint64_t member_number(const json_t *object, const char *name)
{
        json_int_t number = json_integer_value(json_object_get(object, name));

        return number > 0 ? (uint64_t)number : 0;
}

const char *member_text(const json_t *object, const char *name)
{
        const char *string = json_string_value(json_object_get(object, name));

        return string ? string : "";
}
