/* The object that is loaded into programs that accept themselves (src/preload): where it is, and which programs it
 * cannot be loaded into.
 *
 * The configuration child and the worker ask. Nothing is loaded here. */
#pragma once

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
