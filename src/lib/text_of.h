/* What signals and errors are called, as strsignal(3) and strerror(3) say it in the C locale; for the preload object,
 * which may not call them. Async-signal-safe. */
#pragma once

#include "lib/line.h"

/* Append the name of a signal: "Killed", "Segmentation fault"; "Real-time signal 1" …; "Unknown signal 99". */
void text_of_signal(struct line *line, int number);

/* Append the text of an errno (positive), of those that a worker meets when it accepts and starts handlers; others as
 * "error 99". */
void text_of_error(struct line *line, int error);
