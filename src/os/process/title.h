/* The title of a process in ps(1): `preforkd: master (/etc/preforkd/preforkd.conf)`, `preforkd: worker www`. Called by
 * bin/, and by master/ and worker/ in their processes.
 *
 * libbsd's setproctitle(3) does the work. This file adds one thing: the kernel shows only the title if the last byte of
 * the original arguments is not NUL (get_mm_cmdline() in its fs/proc/base.c); otherwise it shows the padding as
 * well. */
#pragma once

/* Make room for titles. This moves argv and the environment, so call it before any pointer into them is stored. */
void process_title_init(int argc, char **argv, char **environment);

/* Set the title, after "preforkd: ", whatever the program's file is called: people look for it. A title that is too
 * long is cut. */
void process_title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));
