#include "ctl/style.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

struct ctl_style ctl_style_of_stdout(void)
{
        const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
        struct winsize size = {0};

        if (!isatty(STDOUT_FILENO))
                return (struct ctl_style){0};
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
                size.ws_col = 0;
        return (struct ctl_style){
                .colours = (!no_color || no_color[0] == '\0') && terminal && terminal[0] != '\0' &&
                           !text_equal(terminal, "dumb"),
                .width = size.ws_col,
        };
}

const char *ctl_colour_sequence(enum ctl_colour colour)
{
        static const char *const sequences[] = {[CTL_PLAIN] = "\033[0m",
                                                [CTL_GREEN] = "\033[32m",
                                                [CTL_YELLOW] = "\033[1;33m",
                                                [CTL_RED] = "\033[1;31m"};
        static_assert(ELEMENTS(sequences) == CTL_COLOUR_COUNT, "a sequence for every enum ctl_colour");

        return sequences[colour];
}

enum ctl_colour ctl_colour_of_state(const char *state)
{
        static const struct {
                const char *state;
                enum ctl_colour colour;
        } colours[] = {
                {"running", CTL_GREEN},     {"saturated", CTL_YELLOW}, {"backing off", CTL_RED},
                {"not listening", CTL_RED}, {"paused", CTL_YELLOW},    {"draining", CTL_YELLOW},
                {"closing", CTL_YELLOW},    {"busy", CTL_GREEN},       {"stopped", CTL_RED},
                {"detached", CTL_YELLOW},   {"retiring", CTL_YELLOW},  {"terminating", CTL_YELLOW},
                {"killing", CTL_RED},       {"ending", CTL_RED},       {"killed", CTL_RED},
                {"refusing", CTL_YELLOW},   {"holding", CTL_YELLOW},
        };

        for (size_t i = 0; i < ELEMENTS(colours); i++)
                if (text_equal(state, colours[i].state))
                        return colours[i].colour;
        return CTL_PLAIN;
}
