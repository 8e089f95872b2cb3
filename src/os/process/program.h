/* Programs: the search for a handler by its name.
 *
 * The configuration child calls this to check a handler before a reload, and the worker to execute it: what the one
 * accepts the other must find. os/process/image uses it as well. */
#pragma once

/* The search path of a handler whose environment has no PATH. */
#define PROGRAM_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Find the first executable file `name` in the directories of `search_path`; a name with a slash is not searched for.
 * `root` ("" for none) is put in front of every path, also in *ret, which the caller frees. 0; -ENOENT; -EACCES: there
 * is one that we may not execute; for a name with a slash any -errno of access(2); -ENOMEM. */
int program_find(const char *root, const char *name, const char *search_path, char **ret);
