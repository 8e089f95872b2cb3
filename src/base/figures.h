/* Numbers for people: durations, sizes and rates, short and with their units. Pure.
 *
 * Called by preforkctl and by the page of status pools, which show the same number in the same way. */
#pragma once

#include <stdint.h>

/* The size of the buffer for each number below. */
#define FIGURE_MAX 32

/* "12ms", "4.2s", "3m 10s", "5h 02m", "12d 3h"; "417K", "1.3M"; "0", "3.1", "1200". Each returns `text`. */
const char *figure_duration(uint64_t ms, char text[static FIGURE_MAX]);
const char *figure_microseconds(uint64_t us, char text[static FIGURE_MAX]);
const char *figure_size(uint64_t bytes, char text[static FIGURE_MAX]);
const char *figure_rate(double per_second, char text[static FIGURE_MAX]);
const char *figure_count(uint64_t count, char text[static FIGURE_MAX]);
