/* What the environment of a handler says about us: removed when the object has read it, so that children of the program
 * see nothing of it, and given back when the program executes another one in its place (env(1), a shell's exec).
 *
 * Called by preload/accounting. The text of the variables is kept in static memory, because programs overwrite the area
 * that the kernel put it in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/attach.h"

/* Keep the variables of the attachment, and the object's own path: the first of LD_PRELOAD. */
void environment_save(char *const *environment, const struct attachment *attachment);

/* A number has changed. */
void environment_note(const struct attachment *attachment);

/* Remove the variables, and the object from LD_PRELOAD; what else the user preloads stays. */
void environment_forget(char **environment);

/* Execute a program, with what was saved added to its environment if `is_worker`. `execute` NULL: execve(2) itself.
 * Returns -errno. */
long environment_execute(const char *path, char *const *arguments, char *const *environment, bool is_worker,
                         int (*execute)(const char *, char *const *, char *const *));

/* The environment of such a program in `to`, which has place for environment_room() pointers. */
size_t environment_room(char *const *environment);
void environment_extend(char *const *environment, char **to);

/* exit(3) of the program. */
_Noreturn void environment_exit(void);
