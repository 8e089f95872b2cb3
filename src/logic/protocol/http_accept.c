#include "logic/protocol/http_accept.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define QUALITY_MAX 1000

/* A piece of the header, without blanks around it. */
struct piece {
        const char *bytes;
        size_t length;
};

static struct piece trim(const char *from, const char *to)
{
        while (from < to && isspace((unsigned char)*from))
                from++;
        while (to > from && isspace((unsigned char)to[-1]))
                to--;
        return (struct piece){.bytes = from, .length = (size_t)(to - from)};
}

/* Take what comes up to the `separator` or the end. False: there is no more. */
static bool take(const char **rest, const char *end, char separator, struct piece *ret)
{
        if (!*rest)
                return false;
        const char *stop = memchr(*rest, separator, (size_t)(end - *rest));
        *ret = trim(*rest, stop ? stop : end);
        *rest = stop ? stop + 1 : NULL;
        return true;
}

static bool is(struct piece piece, const char *word)
{
        return piece.length == strlen(word) && strncasecmp(piece.bytes, word, piece.length) == 0;
}

/* "1", "0.25" … in thousandths. What is no number is as welcome as can be. */
static unsigned read_quality(struct piece value)
{
        unsigned quality = 0, digit = QUALITY_MAX;

        for (size_t i = 0; i < value.length && digit > 0; i++) {
                if (i == 1 && value.bytes[i] == '.')
                        continue;
                if (!isdigit((unsigned char)value.bytes[i]))
                        return QUALITY_MAX;
                quality += (unsigned)(value.bytes[i] - '0') * digit;
                digit /= 10;
        }
        return value.length == 0 || quality > QUALITY_MAX ? QUALITY_MAX : quality;
}

/* How closely the range names the type: 0: not at all; 1: any type; 2: any subtype; 3: the type itself. */
static unsigned match(struct piece range, const char *type)
{
        const char *slash = strchr(type, '/');
        size_t length = (size_t)(slash - type) + 1;

        if (is(range, "*/*") || is(range, "*"))
                return 1;
        if (range.length == length + 1 && strncasecmp(range.bytes, type, length) == 0 && range.bytes[length] == '*')
                return 2;
        return is(range, type) ? 3 : 0;
}

/* The parameters of a range: its quality, and whether it is about another version. */
static bool read_parameters(const char *rest, const char *end, const char *version, unsigned *quality)
{
        struct piece parameter;

        *quality = QUALITY_MAX;
        while (take(&rest, end, ';', &parameter)) {
                const char *equals = memchr(parameter.bytes, '=', parameter.length);
                if (!equals)
                        continue;
                struct piece name = trim(parameter.bytes, equals);
                struct piece value = trim(equals + 1, parameter.bytes + parameter.length);
                if (is(name, "q"))
                        *quality = read_quality(value);
                else if (is(name, "version") && version && !is(value, version))
                        return false;
        }
        return true;
}

unsigned http_accept_quality(const char *header, const char *type, const char *version, bool *ret_named)
{
        unsigned best = 0, closest = 0;
        struct piece range;

        *ret_named = false;
        if (!header || header[strspn(header, " \t")] == '\0')
                return QUALITY_MAX;
        const char *rest = header, *end = header + strlen(header);
        while (take(&rest, end, ',', &range)) {
                const char *parameters = range.bytes, *stop = range.bytes + range.length;
                struct piece name = {.bytes = ""};
                unsigned quality, closeness;
                take(&parameters, stop, ';', &name);
                closeness = match(name, type);
                if (closeness == 0 || !read_parameters(parameters, stop, version, &quality))
                        continue;
                if (closeness > closest || (closeness == closest && quality > best))
                        best = quality;
                closest = closeness > closest ? closeness : closest;
        }
        *ret_named = closest == 3;
        return best;
}
