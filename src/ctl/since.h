/* Points in time as people write them for `logs --since`: the simple forms of journalctl(1), in local time. */
#pragma once

#include <stdint.h>
#include <time.h>

/* Parse `text`, as seen at `now`, into microseconds since 1970. The forms:
 *
 *   now, today, yesterday         the last two mean midnight
 *   -1h, -30min, 1h 30min ago     so long ago; a number without unit counts seconds
 *   2026-11-21 17:00:00           the seconds, or the whole time of day, may be left out
 *   17:00:00, 17:00               of today
 *   @1795714486                   seconds since 1970
 *
 * 0; -EINVAL: none of these, or a date that does not exist; -ERANGE: before 1970. *ret_us is left alone on failure. */
int ctl_since_parse(const char *text, time_t now, uint64_t *ret_us);
