/* Programs: where a handler's name is looked for.
 *
 * One search for two: the configuration child, which checks a handler before a reload, and the worker, which executes
 * it. What the one accepts the other must find. */
#pragma once

/* The search path of a handler whose environment names none. */
#define PROGRAM_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Find the first executable file called `name` in the directories of `search_path`; a name with a slash is taken as it
 * is. `root` is put in front of every path that is tried ("" for none), and stands in *ret, which is the caller's to
 * free. 0; -ENOENT; -EACCES: there is one, and we may not execute it; for a name with a slash any -errno of access(2);
 * -ENOMEM. */
int program_find(const char *root, const char *name, const char *search_path, char **ret);
