#include "ctl/since.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

#define SECOND_US UINT64_C(1000000)

static const struct {
        const char *name;
        uint64_t seconds;
} units[] = {
        {"", 1},         {"s", 1},       {"sec", 1},       {"second", 1},     {"seconds", 1},
        {"m", 60},       {"min", 60},    {"minute", 60},   {"minutes", 60},   {"h", 3600},
        {"hr", 3600},    {"hour", 3600}, {"hours", 3600},  {"d", 86400},      {"day", 86400},
        {"days", 86400}, {"w", 604800},  {"week", 604800}, {"weeks", 604800},
};

static int find_unit(const char *name, size_t length, uint64_t *ret_seconds)
{
        for (size_t i = 0; i < ELEMENTS(units); i++)
                if (strlen(units[i].name) == length && strncmp(units[i].name, name, length) == 0) {
                        *ret_seconds = units[i].seconds;
                        return 0;
                }
        return -EINVAL;
}

/* One number and its unit at *cursor, which moves behind them and the blanks that follow. */
static int take_part(const char **cursor, uint64_t *ret_seconds)
{
        const char *at = *cursor;
        uint64_t number = 0, unit;
        size_t digits = 0, letters = 0;

        for (; isdigit((unsigned char)at[digits]); digits++)
                number = number * 10 + (uint64_t)(at[digits] - '0');
        if (digits == 0 || digits > 10)
                return -EINVAL;
        at += digits;
        at += strspn(at, " ");
        while (isalpha((unsigned char)at[letters]))
                letters++;
        if (find_unit(at, letters, &unit) < 0)
                return -EINVAL;
        at += letters;
        *cursor = at + strspn(at, " ");
        *ret_seconds = number * unit;
        return 0;
}

/* "1h 30min": the sum of its parts. `length` bytes of `text` count. */
static int parse_span(const char *text, size_t length, uint64_t *ret_seconds)
{
        char copy[64];
        const char *cursor = copy;
        uint64_t sum = 0, part;

        if (length >= sizeof(copy))
                return -EINVAL;
        memcpy(copy, text, length);
        copy[length] = '\0';
        do {
                if (take_part(&cursor, &part) < 0)
                        return -EINVAL;
                sum += part; /* no overflow: at most 63 parts of less than 2^53 */
        } while (*cursor);
        *ret_seconds = sum;
        return 0;
}

/* Is it a span of time before now? Then how long. */
static bool take_span(const char *text, uint64_t *ret_seconds)
{
        static const char ago[] = " ago";
        size_t length = strlen(text), ago_length = strlen(ago);

        if (text[0] == '-')
                return parse_span(&text[1], length - 1, ret_seconds) == 0;
        return length > ago_length && text_equal(&text[length - ago_length], ago) &&
               parse_span(text, length - ago_length, ret_seconds) == 0;
}

static int take_time(struct tm *local, uint64_t *ret_us)
{
        int day = local->tm_mday;

        local->tm_isdst = -1;
        time_t seconds = mktime(local);
        if (local->tm_mday != day) /* strptime(3) takes February 31, mktime(3) makes March of it */
                return -EINVAL;
        if (seconds < 0)
                return -ERANGE;
        *ret_us = (uint64_t)seconds * SECOND_US;
        return 0;
}

/* A date, a time of day, or both. */
static int parse_date(const char *text, const struct tm *today, uint64_t *ret_us)
{
        static const char *const formats[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
                                              "%Y-%m-%d",          "%H:%M:%S",          "%H:%M"};

        for (size_t i = 0; i < ELEMENTS(formats); i++) {
                struct tm local = {.tm_year = today->tm_year, .tm_mon = today->tm_mon, .tm_mday = today->tm_mday};
                const char *end = isdigit((unsigned char)text[0]) ? strptime(text, formats[i], &local) : NULL;
                if (end && *end == '\0')
                        return take_time(&local, ret_us);
        }
        return -EINVAL;
}

int ctl_since_parse(const char *text, time_t now, uint64_t *ret_us)
{
        uint64_t seconds;
        struct tm today;

        if (!localtime_r(&now, &today))
                return -EINVAL;
        struct tm midnight = {.tm_year = today.tm_year, .tm_mon = today.tm_mon, .tm_mday = today.tm_mday};
        if (text_equal(text, "now")) {
                *ret_us = (uint64_t)now * SECOND_US;
                return 0;
        }
        if (text_equal(text, "today"))
                return take_time(&midnight, ret_us);
        if (text_equal(text, "yesterday")) {
                /* At noon of today minus a day: whatever the clocks were changed by, that is in yesterday. */
                const time_t noon = now + (time_t)(12 - today.tm_hour) * 3600 - 86400;
                if (!localtime_r(&noon, &today))
                        return -EINVAL;
                midnight = (struct tm){.tm_year = today.tm_year, .tm_mon = today.tm_mon, .tm_mday = today.tm_mday};
                return take_time(&midnight, ret_us);
        }
        if (text[0] == '@' && number_parse(&text[1], &seconds) == 0) {
                if (seconds > UINT64_MAX / SECOND_US)
                        return -ERANGE;
                *ret_us = seconds * SECOND_US;
                return 0;
        }
        if (!take_span(text, &seconds))
                return parse_date(text, &today, ret_us);
        if (seconds > (uint64_t)now)
                return -ERANGE;
        *ret_us = ((uint64_t)now - seconds) * SECOND_US;
        return 0;
}
