/* The terminal of `top`: opening it, waiting for keys and restoring it. curses does the drawing. Owned by ctl/top.
 *
 * While the screen is open, signals that end the program are blocked and read from a descriptor, so that none of them
 * leaves a terminal without echo. A change of the window's size interrupts the wait. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct screen; /* curses' */

struct ctl_screen {
        struct screen *curses;
        int signal_fd;
        sigset_t before;  /* the signal mask before the screen was opened */
        sigset_t waiting; /* the signal mask during the wait for a key */
        bool colours;     /* it has colours: pair n of curses is colour n of ctl/style */
        bool utf8;        /* it shows what is not ASCII */
        int ended_by;     /* the signal that ended the program; 0: none */
};

/* Open the terminal of stdin and stdout. False, with nothing changed: they are not a terminal, or curses cannot draw on
 * it (the terminal is unknown or, as with TERM=dumb, cannot move its cursor). */
bool ctl_screen_open(struct ctl_screen *screen);

/* Wait for a key or a change of the window's size (KEY_RESIZE), until a time of os/clock. True: *ret_key is the key, or
 * ERR if there was none. False: a signal has come or the terminal has hung up, and the program must end. */
bool ctl_screen_wait(struct ctl_screen *screen, uint64_t until_ms, int *ret_key);

/* Restore the terminal. If a signal has ended the program, raise it again with its default action: a shell that runs us
 * in a loop must see that Ctrl-C has killed us. Returns if there was no signal, or if it was inherited as blocked. */
void ctl_screen_close(struct ctl_screen *screen);
