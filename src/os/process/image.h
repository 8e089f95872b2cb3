/* The image: the program that this process executes, and its replacement by another (execve(2)).
 *
 * Called by bin/ at the start, while the working directory and the file are still those of the start, and by
 * master/upgrade. What must stay true: the program of an upgrade is named by a path and never by /proc/self/exe, which
 * after the upgrade of a package is the old, deleted file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

struct text;

/* Find the absolute path by which this process was started; `name` is its argv[0]. Symbolic links are kept, because
 * they may lead to a newer program later. If `name`, which the caller of execve(2) chooses freely, is not this program,
 * return the path that the kernel reports. 0; -ENOENT; -ENOMEM; -errno. The caller frees *ret. */
int image_find(const char *name, char **ret);

/* The identity of a file: whether it was replaced or changed. */
struct image_file {
        dev_t device;
        ino_t inode;
        off_t size;
        struct timespec modified;
};

/* Read the identity of an executable file. 0; -EACCES: it is not executable or not a regular file; -errno of
 * stat(2). */
int image_look(const char *path, struct image_file *ret);
bool image_is_same(const struct image_file *a, const struct image_file *b);

/* May others than root, our own user and the owner of this very program change the file, or put another in its place?
 * 0: no; -EPERM: yes, and `why` has an explanation; -errno. */
int image_check_writers(const char *path, struct text *why);

/* Execute the program at `path` in this process, with our environment. `descriptors` stay open in it; others follow
 * their FD_CLOEXEC. Returns only on failure, with everything as before: -errno of execve(2). */
int image_execute(const char *path, char *const *arguments, const int *descriptors, size_t count);

/* Open the file of this program for image_execute_open(): what its path leads to may be another one by now. Returns an
 * O_CLOEXEC descriptor, or -errno (no /proc). */
int image_open(void);

/* Execute the file at `fd`, which is closed then, or this program once more. Descriptors follow their FD_CLOEXEC.
 * Returns only on failure: -errno of execveat(2). Neither allocates memory. */
int image_execute_open(int fd, char *const *arguments);
int image_execute_again(char *const *arguments);
