#include "base/figures.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

const char *figure_duration(uint64_t ms, char text[static FIGURE_MAX])
{
        uint64_t seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

        if (ms < 1000)
                snprintf(text, FIGURE_MAX, "%" PRIu64 "ms", ms);
        else if (seconds < 10)
                snprintf(text, FIGURE_MAX, "%" PRIu64 ".%" PRIu64 "s", seconds, ms % 1000 / 100);
        else if (minutes == 0)
                snprintf(text, FIGURE_MAX, "%" PRIu64 "s", seconds);
        else if (hours == 0)
                snprintf(text, FIGURE_MAX, "%" PRIu64 "m %02" PRIu64 "s", minutes, seconds % 60);
        else if (days == 0)
                snprintf(text, FIGURE_MAX, "%" PRIu64 "h %02" PRIu64 "m", hours, minutes % 60);
        else
                snprintf(text, FIGURE_MAX, "%" PRIu64 "d %02" PRIu64 "h", days, hours % 24);
        return text;
}

const char *figure_microseconds(uint64_t us, char text[static FIGURE_MAX])
{
        if (us < 1000)
                snprintf(text, FIGURE_MAX, "%" PRIu64 "us", us);
        else if (us < 100000)
                snprintf(text, FIGURE_MAX, "%" PRIu64 ".%" PRIu64 "ms", us / 1000, us % 1000 / 100);
        else
                figure_duration(us / 1000, text);
        return text;
}

const char *figure_size(uint64_t bytes, char text[static FIGURE_MAX])
{
        static const char units[] = "KMGTP";
        double value = (double)bytes / 1024;
        size_t unit = 0;

        for (; value >= 1000 && units[unit + 1] != '\0'; unit++)
                value /= 1024;
        snprintf(text, FIGURE_MAX, value < 10 && unit > 0 ? "%.1f%c" : "%.0f%c", value, units[unit]);
        return text;
}

const char *figure_rate(double per_second, char text[static FIGURE_MAX])
{
        if (per_second <= 0)
                snprintf(text, FIGURE_MAX, "0");
        else
                snprintf(text, FIGURE_MAX, per_second < 100 ? "%.1f" : "%.0f", per_second);
        return text;
}

const char *figure_count(uint64_t count, char text[static FIGURE_MAX])
{
        snprintf(text, FIGURE_MAX, "%" PRIu64, count);
        return text;
}
