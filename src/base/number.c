#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

struct unit {
        const char *name;
        uint64_t factor;
};

/* Read digits at *cursor and move it past them. */
static int digits(const char **cursor, unsigned base, uint64_t *ret)
{
        uint64_t value = 0;
        const char *at = *cursor;
        bool overflow = false;

        if (*at < '0' || *at >= (char)('0' + base))
                return -EINVAL;
        for (; *at >= '0' && *at < (char)('0' + base); at++)
                overflow |= __builtin_mul_overflow(value, base, &value) ||
                            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value);
        *cursor = at;
        if (overflow)
                return -ERANGE;
        *ret = value;
        return 0;
}

int number_parse(const char *string, uint64_t *ret)
{
        uint64_t value;
        int r = digits(&string, 10, &value);

        if (*string != '\0')
                return -EINVAL;
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

int number_next(const char **line, uint64_t *ret)
{
        const char *at = *line + strspn(*line, " \t");
        uint64_t value;
        int r = digits(&at, 10, &value);

        if (*at != '\0' && !strchr(" \t\n", *at))
                return -EINVAL;
        if (r < 0)
                return r;
        *line = at;
        *ret = value;
        return 0;
}

int number_parse_octal(const char *string, mode_t *ret)
{
        uint64_t value;
        int r = digits(&string, 8, &value);

        if (*string != '\0')
                return -EINVAL;
        if (r < 0)
                return r;
        if (value > 07777)
                return -ERANGE;
        *ret = (mode_t)value;
        return 0;
}

int number_parse_percent(const char *string, uint64_t *ret_percent)
{
        uint64_t value;
        int r = digits(&string, 10, &value);

        if (!text_equal(string, "%"))
                return -EINVAL;
        if (r < 0)
                return r;
        *ret_percent = value;
        return 0;
}

/* The unit at the cursor, as a whole word (no letter follows it), or NULL. */
static const struct unit *unit_at(const char *cursor, const struct unit *units, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                size_t length = strlen(units[i].name);
                if (strncmp(cursor, units[i].name, length) == 0 && !isalpha((unsigned char)cursor[length]))
                        return &units[i];
        }
        return NULL;
}

static const struct unit duration_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

int number_parse_duration_ms(const char *string, uint64_t *ret_ms)
{
        uint64_t sum = 0, value = 0;
        bool overflow = false, first = true;

        do {
                int r = digits(&string, 10, &value);
                if (r == -EINVAL)
                        return r;
                overflow |= r < 0;
                /* A bare number is seconds, as in systemd, but only alone: `1h30` is more likely a mistake. */
                const struct unit *unit = *string == '\0' && first
                                                  ? &duration_units[2]
                                                  : unit_at(string, duration_units, ELEMENTS(duration_units));
                if (!unit)
                        return -EINVAL;
                if (*string != '\0')
                        string += strlen(unit->name);
                first = false;
                overflow |=
                        __builtin_mul_overflow(value, unit->factor, &value) || __builtin_add_overflow(sum, value, &sum);
        } while (*string != '\0');
        if (overflow)
                return -ERANGE;
        *ret_ms = sum;
        return 0;
}

static const struct unit size_units[] = {{"T", 1ULL << 40}, {"G", 1ULL << 30}, {"M", 1ULL << 20}, {"K", 1ULL << 10}};

int number_parse_size_bytes(const char *string, uint64_t *ret_bytes)
{
        uint64_t value;
        int r = digits(&string, 10, &value);

        if (r == -EINVAL)
                return r;
        if (*string != '\0') {
                const struct unit *unit = unit_at(string, size_units, ELEMENTS(size_units));
                if (!unit || string[1] != '\0')
                        return -EINVAL;
                if (r == 0 && __builtin_mul_overflow(value, unit->factor, &value))
                        r = -ERANGE;
        }
        if (r < 0)
                return r;
        *ret_bytes = value;
        return 0;
}

/* Print in the largest unit that divides the value; `base_unit` when none does. */
static int format_unit(struct text *text, uint64_t value, const struct unit *units, size_t count, const char *base_unit)
{
        for (size_t i = 0; value > 0 && i < count; i++)
                if (value % units[i].factor == 0)
                        return text_appendf(text, "%" PRIu64 "%s", value / units[i].factor, units[i].name);
        return text_appendf(text, "%" PRIu64 "%s", value, value > 0 ? base_unit : "");
}

int number_format_duration_ms(struct text *text, uint64_t ms)
{
        return format_unit(text, ms, duration_units, ELEMENTS(duration_units), "ms");
}

int number_format_size_bytes(struct text *text, uint64_t bytes)
{
        return format_unit(text, bytes, size_units, ELEMENTS(size_units), "");
}
