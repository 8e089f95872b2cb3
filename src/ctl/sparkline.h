/* Workers over time as a row of bars. Pure; used by ctl/status_pools. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct history_row;
struct text;

/* Append how many workers were busy over the last ten minutes, in `bars` bars, and how many that were where the bar is
 * highest: "▁▁▃█▂▁ 4.5". Where nothing is known there is no bar. `is_utf8` false: in ASCII. 0 or -ENOMEM. */
int ctl_sparkline(const struct history_row *rows, size_t count, size_t bars, bool is_utf8, struct text *text);
