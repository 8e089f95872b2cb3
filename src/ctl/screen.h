/* The terminal that `top` draws on: opened, waited for, given back as it was. Drawing itself is curses.
 *
 * Signals that end the program are blocked and read here as data while the screen is open, so that none of them leaves a
 * terminal behind that does not echo; a window that changes its size interrupts the wait. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct screen; /* curses' */

struct ctl_screen {
        struct screen *curses;
        int signal_fd;
        sigset_t before;  /* the mask as it was */
        sigset_t waiting; /* … and while a key is waited for */
        int ended_by;     /* the signal that ended it; 0: none */
};

/* Take the terminal of stdin and stdout. False, with nothing changed: they are none, or it is one on which nobody can draw
 * (unknown, or without a cursor that can be moved, as TERM=dumb). */
bool ctl_screen_open(struct ctl_screen *screen);

/* Wait for a key, or for a window that has changed its size (KEY_RESIZE), until a time of os/clock. The key; ERR: none came.
 * False: the screen has come to its end, by a signal or because the terminal has gone. */
bool ctl_screen_wait(struct ctl_screen *screen, uint64_t until_ms, int *ret_key);

/* Give the terminal back. If a signal has ended the screen it now ends the process, as it would have without us: a shell
 * that runs us in a loop must see that Ctrl-C was meant for it, too. Returns if there was none, or if it was inherited as
 * blocked. */
void ctl_screen_close(struct ctl_screen *screen);
