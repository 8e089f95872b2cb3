#include "ctl/sparkline.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/status/history.h"

/* Nobody, and those that are more and more. */
static const char *const utf8_bars[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
                                        "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"};
static const char *const ascii_bars[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
static_assert(ELEMENTS(utf8_bars) == ELEMENTS(ascii_bars), "the same heights in both");

/* Of what is known of a slice of time, the average; -1: nothing is. */
static double busy_between(const struct history_row *rows, size_t count, double oldest_ms, double youngest_ms)
{
        double known_ms = 0, busy_ms = 0;

        for (size_t i = 0; i < count; i++) {
                double end_ms = rows[i].column[HISTORY_AGE_MS], begin_ms = end_ms + rows[i].column[HISTORY_FOR_MS];
                double common_ms = MIN_OF(begin_ms, oldest_ms) - MAX_OF(end_ms, youngest_ms);
                if (common_ms <= 0)
                        continue;
                known_ms += common_ms;
                busy_ms += common_ms * rows[i].column[HISTORY_BUSY];
        }
        return known_ms > 0 ? busy_ms / known_ms : -1;
}

/* Nobody has the lowest bar, and anybody a higher one. */
static size_t height_of(double busy, double most)
{
        size_t above = ELEMENTS(utf8_bars) - 1;

        return busy <= 0 ? 0 : MIN_OF(1 + (size_t)(busy / most * (double)above), above);
}

int ctl_sparkline(const struct history_row *rows, size_t count, size_t bars, bool is_utf8, struct text *text)
{
        const char *const *signs = is_utf8 ? utf8_bars : ascii_bars;
        _cleanup_(freep) double *busy = calloc(bars + 1, sizeof(*busy));
        double most = 0, slice_ms = (double)HISTORY_WINDOW_MS / (double)MAX_OF(bars, (size_t)1);
        int r = busy ? 0 : -ENOMEM;

        for (size_t i = 0; i < bars && r == 0; i++) {
                double youngest_ms = (double)(bars - 1 - i) * slice_ms;
                busy[i] = busy_between(rows, count, youngest_ms + slice_ms, youngest_ms);
                most = MAX_OF(most, busy[i]);
        }
        /* A fraction of one worker is not much, even if it is the most that there was. */
        for (size_t i = 0; i < bars && r == 0; i++)
                r = text_append(text, busy[i] < 0 ? " " : signs[height_of(busy[i], MAX_OF(most, 1.))]);
        if (r == 0)
                r = text_appendf(text, most < 9.95 ? " %.1f" : " %.0f", most);
        return r;
}
