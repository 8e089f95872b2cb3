#include "base/pressure.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

const char *pressure_resource_name(enum pressure_resource resource)
{
        static const char *const names[] = {[PRESSURE_CPU] = "cpu", [PRESSURE_MEMORY] = "memory"};
        static_assert(ELEMENTS(names) == PRESSURE_RESOURCE_COUNT, "a name for every enum pressure_resource");

        return names[resource];
}

/* `12.34`, up to a blank: 1234. The kernel prints two decimals. */
static int parse_share(const char *text, unsigned *ret)
{
        unsigned share = 0, decimals = 0;
        size_t whole = strspn(text, "0123456789");

        if (whole == 0 || text[whole] != '.')
                return -EINVAL;
        if (whole > 3)
                return -ERANGE;
        for (size_t i = 0; i < whole; i++)
                share = share * 10 + (unsigned)(text[i] - '0');
        for (text += whole + 1; isdigit((unsigned char)*text) && decimals < 2; text++, decimals++)
                share = share * 10 + (unsigned)(*text - '0');
        if (decimals < 2 || (*text != ' ' && *text != '\n'))
                return -EINVAL;
        if (share > PRESSURE_ALL)
                return -ERANGE;
        *ret = share;
        return 0;
}

/* What follows `name` in the line at `text`; NULL: it is not there. */
static const char *field_of(const char *text, const char *name)
{
        const char *end = strchr(text, '\n'), *at = strstr(text, name);

        return at && (!end || at < end) ? at + strlen(name) : NULL;
}

int pressure_parse(const char *text, struct pressure_reading *ret)
{
        struct pressure_reading reading;
        const char *recent = field_of(text, " avg10="), *total = field_of(text, " total=");

        if (!text_starts_with(text, "some ") || !recent || !total || !isdigit((unsigned char)*total))
                return -EINVAL;
        int r = parse_share(recent, &reading.recent);
        if (r == 0)
                r = number_next(&total, &reading.stalled_us);
        if (r == 0)
                *ret = reading;
        return r;
}
