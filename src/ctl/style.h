/* How preforkctl may print: with colours or without, and how wide. Asks the terminal of stdout, once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum ctl_colour { CTL_PLAIN, CTL_GREEN, CTL_YELLOW, CTL_RED, CTL_COLOUR_COUNT };

/* What bars are drawn with. */
enum ctl_bars { CTL_NO_BARS, CTL_ASCII_BARS, CTL_UTF8_BARS };

/* Zero: no colours, no bars, as wide as it gets. */
struct ctl_style {
        bool colours;
        enum ctl_bars bars;
        size_t width; /* 0: not limited */
};

/* That of stdout: colours and a width if it is a terminal, no colours with NO_COLOR or TERM=dumb. */
struct ctl_style ctl_style_of_stdout(void);

/* The sequence of a terminal that begins the colour; CTL_PLAIN: that ends every colour. */
const char *ctl_colour_sequence(enum ctl_colour colour);

/* The colour of a pool's or a worker's state: green if it works, yellow if that is worth a look, red if it is wrong. */
enum ctl_colour ctl_colour_of_state(const char *state);
