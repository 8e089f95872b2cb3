/* The file of a UNIX socket that has a path: made, recognised, changed and removed.
 *
 * Other users may own its directory and replace anything in it at any moment. So the file is known by its inode, which
 * stays the socket's as long as the socket is open, and is opened before it is judged; only bind(2) takes a path. What
 * must stay true: no other file is ever changed or removed, and a socket at which a process listens stays. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/address.h"

struct unix_file {
        dev_t device;
        ino_t inode;
};

/* Bind the socket `fd` to a path, with that mode; replaces a socket file at which nobody listens. 0; -EADDRINUSE:
 * somebody listens there; -ENOTSOCK: the path is another file; -ESTALE: the directory was exchanged meanwhile; -errno
 * as directory_open_parent(). On failure no file is left. */
int unix_file_bind(int fd, const struct address *address, mode_t mode, struct unix_file *ret);

/* Recognise the file of a bound socket, which another process made. 0; -ESTALE: the path is another file now. */
int unix_file_recognise(int fd, const char *path, struct unix_file *ret);

/* Is the file still at its path? */
bool unix_file_is_at(const struct unix_file *file, const char *path);

/* Set owner ((uid_t)-1, (gid_t)-1: unchanged) and mode. 0; -ENOENT: it is not at its path any more; -errno. */
int unix_file_set_access(const struct unix_file *file, const char *path, uid_t uid, gid_t gid, mode_t mode);

/* Remove the file, unless the path has become another one. */
void unix_file_remove(const struct unix_file *file, const char *path);

/* Is the path free, or the socket file of a process that has ended? 0: yes; -EADDRINUSE: a process listens, and now
 * finds a connection; -ENOTSOCK: another file; -errno. */
int unix_file_check_stale(const struct address *address);

/* Do the directory and the present file permit a socket at the path? Nobody is connected to. 0 or -errno. */
int unix_file_try(const char *path);
