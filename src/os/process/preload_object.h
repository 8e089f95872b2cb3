/* The object that is loaded into handlers (src/preload): where it is, which programs it cannot be loaded into, and what
 * it needs of the machine.
 *
 * The configuration child and the worker ask. Nothing is loaded here. */
#pragma once

#include <stdbool.h>

#include "os/process/executable.h"

/* The variable that names another place than the installed one: for preforkd that is not installed. */
#define PRELOAD_OBJECT_VARIABLE "PREFORKD_PRELOAD"

/* Its path, as the program's loader will look for it. */
const char *preload_object_path(void);

/* Could the object be loaded into the program at `path`? With `may_gain_privileges` (no_new_privileges = no) programs
 * that are setuid, setgid or have capabilities load nothing that a user names. 0; -ENOEXEC with an explanation: it is
 * one of these, not dynamically linked, for another machine or another libc; -errno with an explanation: the object
 * cannot be read where the program looks for it; -ENOMEM. What cannot be examined is accepted: the worker's slot says
 * later whether it was loaded. */
int preload_object_check(const struct executable_place *place, const char *path, bool may_gain_privileges,
                         struct text *why);

/* Was the program made by the compiler of Go? Such programs call the kernel without libc, where the object does not see
 * how they accept. False also if it cannot be examined. */
bool preload_object_is_go(const struct executable_place *place, const char *path);

/* Can it watch a program's system calls, up to the first touch of its connection? NULL: it can; else why not. */
const char *preload_object_no_dispatch(void);

/* Can it put memory back, on such a machine? NULL: it can; else why not. Whether the kernel tracks writes is for each
 * worker to find out, which does without for small programs. */
const char *preload_object_no_rollback(void);
