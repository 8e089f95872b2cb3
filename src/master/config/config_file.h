/* A file that belongs to the configuration: read without waiting for long, and who can change it. In the child that
 * reads the configuration. What must stay true: what cannot be read is an error, and never nothing. */
#pragma once

struct problem_list;
struct stat;
struct text;

enum config_file_kind {
        CONFIG_FILE_MAIN, /* it may be a pipe */
        CONFIG_FILE_PART,
        CONFIG_FILE_REGULAR /* nothing else */
};

/* Append what is in the file, without a wait for somebody who opens a FIFO for writing. As root, a file that others may
 * write is warned about. 0; -ETIMEDOUT: nothing comes; -ENXIO: it is not regular; -EFBIG; -errno. */
int config_file_load(const char *file, enum config_file_kind kind, struct text *text, struct problem_list *problems);

/* The same; what fails but for want of memory is a problem of the file. 0; 1: there is one; -ENOMEM. */
int config_file_read(const char *file, enum config_file_kind kind, struct text *text, struct problem_list *problems);

/* Such an error as text, for people. */
const char *config_file_error(int error);

/* Warn if others than root and our own user can change what root will act upon. */
void config_file_check_writers(const char *path, const struct stat *status, struct problem_list *problems);
