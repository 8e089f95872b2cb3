/* What ps(1) shows of a process: `preforkd: master`, `preforkd: worker www`.
 *
 * libbsd's setproctitle(3) does the work. What is added here: the kernel shows a title alone only if the last byte of the
 * original arguments is not NUL (get_mm_cmdline() in its fs/proc/base.c); otherwise it shows the whole space, padding
 * and all. */
#pragma once

/* Make room for titles: moves argv and the environment elsewhere, so it comes before anybody keeps a pointer there. */
void process_title_init(int argc, char **argv, char **environment);

/* Set the title; the program's name and ": " go before it. Cut to the room there is. */
void process_title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));
