/* The positions of files that the program had open when it was stopped: a new process shares them with the worker.
 *
 * Called by rollback/loop. Regular files that can be read are put back, from descriptor 3 on. A file that is only
 * written is a log, which others write, too: setting it back would overwrite their lines. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define OPEN_FILES_MOST 256U

struct open_files {
        size_t count;
        struct {
                int fd;
                int64_t position;
        } all[OPEN_FILES_MOST];
        char entries[4096]; /* of /proc/self/fd */
};

/* Remember them, below `first_fd`, and open each anew, so that other workers of the template do not move it; one that
 * cannot be opened again stays as it is. 0, or -errno: /proc cannot be read. */
int open_files_take(struct open_files *files, int first_fd);

void open_files_put_back(const struct open_files *files);
