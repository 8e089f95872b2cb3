/* The image: the program this process executes, and another one in its place (execve(2)).
 *
 * Called by bin/ at the start, while the working directory and the file are those it was started with, and by
 * master/upgrade. What must stay true: a program is named by a path, never by /proc/self/exe, which after a package was
 * upgraded is the old file that nobody finds any more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* The absolute path by which this process was started; `name` is its argv[0]. Symbolic links in it are kept: they may lead
 * to a newer program later. If `name` is not what is executed (it can be anything), the path the kernel knows. 0; -ENOENT;
 * -ENOMEM; -errno. *ret is the caller's to free. */
int image_find(const char *name, char **ret);

/* What tells whether a file is still the one it was. */
struct image_file {
        dev_t device;
        ino_t inode;
        off_t size;
        struct timespec modified;
};

/* Look at an executable file. 0; -EACCES: it may not be executed, or is no regular file; -errno of stat(2). */
int image_look(const char *path, struct image_file *ret);
bool image_is_same(const struct image_file *a, const struct image_file *b);

/* Execute the program at `path` in this process, with our environment; `descriptors` stay open in it, others are as their
 * flags say. Returns only on failure: -errno of execve(2), with everything as before. */
int image_execute(const char *path, char *const *arguments, const int *descriptors, size_t count);
