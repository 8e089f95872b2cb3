/* The log file: opened so that a name cannot lead elsewhere.
 *
 * The log process opens it, again and again; the processes that check a configuration look at what is there. Owns
 * nothing. What must stay true: only a regular file with one name is written, and no symbolic link is followed in the
 * last part of the path. Who may write the directory is checked elsewhere (master/config/config_log). */
#pragma once

struct text;

/* Open the file for appending; one that is not there is made, with mode 0640 whatever the umask. 0; -errno with an
 * explanation in `why` (`it is a symbolic link`), -ENOMEM. *ret_fd is set only with 0. */
int log_file_open(const char *path, int *ret_fd, struct text *why);

/* Would it be opened? Nothing is made or opened. 0, also if there is none and it could be made; -errno with an
 * explanation, -ENOMEM. */
int log_file_try(const char *path, struct text *why);
