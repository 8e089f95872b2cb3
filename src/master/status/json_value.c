#include "master/status/json_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

json_t *json_value_number(uint64_t value)
{
        return json_integer((json_int_t)MIN_OF(value, (uint64_t)INT64_MAX));
}

json_t *json_value_text(const char *string)
{
        _cleanup_(text_clear) struct text text = {0};
        size_t length = strlen(string), printable = text_printable_length(string, length);
        int r = 0;

        if (printable == length)
                return json_string(string);
        for (size_t at = 0; at < length && r == 0; at += printable + 1) {
                printable = text_printable_length(&string[at], length - at);
                r = text_append_bytes(&text, &string[at], printable);
                if (r == 0 && at + printable < length)
                        r = text_append(&text, "?");
        }
        return r == 0 ? json_string(text_string(&text)) : NULL;
}

json_t *json_value_time(uint64_t wall_ms)
{
        time_t seconds = (time_t)(wall_ms / 1000);
        char date[32], text[48];
        struct tm utc;

        if (!gmtime_r(&seconds, &utc) || strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc) == 0)
                return json_null();
        snprintf(text, sizeof(text), "%s.%03uZ", date, (unsigned)(wall_ms % 1000));
        return json_string(text);
}
