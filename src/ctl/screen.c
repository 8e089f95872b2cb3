#include "ctl/screen.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <term.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "ctl/style.h"
#include "os/clock.h"
#include "os/process/signals.h"

static const int ending_signals[] = {SIGINT, SIGTERM, SIGQUIT};

/* Can the terminal move its cursor? Check this first: curses accepts every terminal that it knows, and draws on one
 * that cannot move its cursor as if it had a single line. */
static bool can_be_drawn_on(void)
{
        int error;

        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || setupterm(NULL, STDOUT_FILENO, &error) != OK)
                return false;
        /* curses only reads the name, but does not declare it const. */
        char name[] = "cup";
        const char *move = tigetstr(name);
        bool can = move && move != (const char *)-1; /* NULL: missing; -1: not a string capability */
        del_curterm(cur_term);
        return can;
}

/* Is the signal ignored, as nohup(1) and shells for background jobs do? It must stay ignored, but a blocked signal
 * would be queued for us. */
static bool is_ignored(int number)
{
        struct sigaction action;

        return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* 0 or -errno. */
static int take_signals(struct ctl_screen *screen)
{
        int taken[ELEMENTS(ending_signals)];
        size_t count = 0;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGWINCH); /* curses handles it; it is unblocked only while we wait, so that none is missed */
        for (size_t i = 0; i < ELEMENTS(ending_signals); i++)
                if (!is_ignored(ending_signals[i])) {
                        taken[count++] = ending_signals[i];
                        sigaddset(&set, ending_signals[i]);
                }
        int r = signals_open_fd(taken, count, &screen->signal_fd);
        if (r < 0)
                return r;
        sigprocmask(SIG_BLOCK, &set, &screen->before);
        screen->waiting = screen->before;
        for (size_t i = 0; i < count; i++)
                sigaddset(&screen->waiting, taken[i]);
        sigdelset(&screen->waiting, SIGWINCH);
        return 0;
}

static void release_signals(struct ctl_screen *screen)
{
        fd_closep(&screen->signal_fd);
        /* curses has replaced default dispositions by handlers of its own. */
        for (size_t i = 0; i < ELEMENTS(ending_signals); i++)
                if (!is_ignored(ending_signals[i]))
                        signal(ending_signals[i], SIG_DFL);
        sigprocmask(SIG_SETMASK, &screen->before, NULL);
}

/* The colours of ctl/style on the terminal's own background. */
static bool open_colours(void)
{
        if (!ctl_style_of_stdout().colours || !has_colors() || start_color() != OK)
                return false;
        use_default_colors();
        init_pair(CTL_GREEN, COLOR_GREEN, -1);
        init_pair(CTL_YELLOW, COLOR_YELLOW, -1);
        init_pair(CTL_RED, COLOR_RED, -1);
        return true;
}

bool ctl_screen_open(struct ctl_screen *screen)
{
        *screen = (struct ctl_screen){.signal_fd = -1};
        if (!can_be_drawn_on() || take_signals(screen) < 0)
                return false;
        setlocale(LC_CTYPE, ""); /* by it curses knows what a character is */
        screen->curses = newterm(NULL, stdout, stdin);
        if (!screen->curses) {
                release_signals(screen);
                return false;
        }
        screen->colours = open_colours();
        screen->utf8 = text_equal(nl_langinfo(CODESET), "UTF-8");
        cbreak();
        noecho();
        keypad(stdscr, TRUE);
        set_escdelay(50);
        curs_set(0);
        timeout(0); /* getch() never waits; ctl_screen_wait() does */
        return true;
}

bool ctl_screen_wait(struct ctl_screen *screen, uint64_t until_ms, int *ret_key)
{
        struct pollfd files[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = screen->signal_fd, .events = POLLIN}};
        uint64_t now_ms = clock_now_ms(), rest_ms = until_ms > now_ms ? until_ms - now_ms : 0;
        const struct timespec rest = {.tv_sec = (time_t)(rest_ms / 1000), .tv_nsec = (long)(rest_ms % 1000) * 1000000};
        struct signals_event event;

        *ret_key = getch(); /* a key that curses has read already */
        if (*ret_key != ERR)
                return true;
        int ready = ppoll(files, ELEMENTS(files), &rest, &screen->waiting);
        if (ready < 0 && errno != EINTR)
                return false;
        if (ready > 0 && files[1].revents && signals_read(screen->signal_fd, &event) == 0) {
                screen->ended_by = event.number;
                return false;
        }
        if (ready > 0 && (files[0].revents & (POLLHUP | POLLERR | POLLNVAL)))
                return false;
        errno = 0;
        *ret_key = getch();
        return *ret_key != ERR || errno != EIO;
}

void ctl_screen_close(struct ctl_screen *screen)
{
        endwin();
        delscreen(screen->curses);
        screen->curses = NULL;
        release_signals(screen);
        if (screen->ended_by != 0)
                raise(screen->ended_by);
}
