/* Executable: what execve(2) would say to a file, and why.
 *
 * The processes that check a configuration ask before a pool has to find out, and a worker asks afterwards, to tell
 * people more than an errno. Nothing is executed, and nothing is waited for: a FIFO is not opened. What must stay true:
 * what a worker could execute is never refused here; in doubt it is accepted. */
#pragma once

#include "os/process/file_user.h"

struct stat;
struct text;

/* Where files are looked for, and as whom. */
struct executable_place {
        const char *root;      /* what the program will see as "/"; NULL: ours. It is looked for as ourselves */
        const char *directory; /* absolute, below `root`: the working directory, for names that are relative */
        struct file_user user;
};

/* Could the program at `path` be executed: itself, the interpreter that its first line names, and its loader? 0; 1:
 * perhaps not, and `why` has an explanation; -errno of execve(2), with an explanation (`it is a directory`); -ENOMEM.
 */
int executable_check(const struct executable_place *place, const char *path, struct text *why);

/* Find `name` as program_find() would, and check it; *ret is its path below `root`, which the caller frees. Results as
 * above. */
int executable_find(const struct executable_place *place, const char *name, const char *search_path, char **ret,
                    struct text *why);

/* A handle (O_PATH) on a file that is looked for in the same way, or -errno; and whether the user may read it. */
int executable_open(const struct executable_place *place, const char *path);
bool executable_may_read(const struct executable_place *place, int fd);

/* Could the directory be entered? 0; -errno with an explanation; -ENOMEM. */
int executable_check_directory(const struct executable_place *place, const char *path, struct text *why);

/* What does the path lead to? 0 or -errno. */
int executable_stat(const struct executable_place *place, const char *path, struct stat *ret);

/* What the first line of a script names: its interpreter, and what follows that, "" if nothing does; both NULL: it is
 * none, or nobody can tell. The caller frees them. 0 or -ENOMEM. */
int executable_interpreter(const struct executable_place *place, const char *path, char **ret, char **ret_argument);
