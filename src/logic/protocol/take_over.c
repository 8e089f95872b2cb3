#include "logic/protocol/take_over.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

/* A number that `end` follows; it may be negative. */
static int parse_number(const char **at, char end, int *ret)
{
        char *rest = NULL;

        errno = 0;
        long number = strtol(*at, &rest, 10);
        if (errno != 0 || rest == *at || *rest != end || number < -1 || number > INT_MAX)
                return -EINVAL;
        *at = rest + 1;
        *ret = (int)number;
        return 0;
}

static int parse_way_back(const char *value, struct take_over *take_over)
{
        int attempt;

        int r = parse_number(&value, ':', &attempt);
        if (r == 0)
                r = parse_number(&value, ':', &take_over->previous_fd);
        if (r < 0 || attempt < 1)
                return -EINVAL;
        take_over->attempt = (unsigned)attempt;
        take_over->previous_path = value;
        take_over->is_back = take_over->previous_fd < 0;
        return 0;
}

int take_over_parse(int count, char *const *arguments, struct take_over *ret)
{
        static const struct {
                const char *prefix;
                bool is_preflight;
        } modes[] = {{TAKE_OVER_OPTION, false}, {TAKE_OVER_PREFLIGHT_OPTION, true}};
        struct take_over found = {.previous_fd = -1, .attempt = 1};
        uint64_t fd;

        *ret = found;
        for (size_t i = 0; i < ELEMENTS(modes) && count > 0; i++) {
                if (!text_starts_with(arguments[0], modes[i].prefix))
                        continue;
                if (number_parse(arguments[0] + strlen(modes[i].prefix), &fd) < 0 || fd <= 2 || fd > INT_MAX)
                        return -EINVAL;
                found.wanted = true;
                found.is_preflight = modes[i].is_preflight;
                found.fd = (int)fd;
        }
        if (!found.wanted)
                return 0;
        bool has_way_back = count > 1 && text_starts_with(arguments[1], TAKE_OVER_WAY_BACK_OPTION);
        int r = has_way_back ? parse_way_back(arguments[1] + strlen(TAKE_OVER_WAY_BACK_OPTION), &found) : 0;
        if (r < 0)
                return r;
        *ret = found;
        return has_way_back ? 2 : 1;
}
