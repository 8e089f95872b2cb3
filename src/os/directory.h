/* The directory that a path lies in, as a descriptor: what is done to a file in it cannot be redirected afterwards.
 *
 * Called before files are made, changed or removed in directories that other users may own. What must stay true: a
 * privileged process is not led elsewhere by another user's link. */
#pragma once

/* Open the directory of `path` (O_PATH). *ret_name is the last component, within `path`. Links on the way are followed,
 * but if we are root, one of another user's only to a directory of that user. Returns a descriptor that the caller
 * owns; -ELOOP: too many links, or one of another user's that leads elsewhere; -ENOENT, -ENOTDIR, -EACCES and others.
 */
int directory_open_parent(const char *path, const char **ret_name);

/* Make the directory of `path` if it is missing, with mode 0755; its own directory must exist. 0, or -errno as above.
 */
int directory_make_parent(const char *path);
