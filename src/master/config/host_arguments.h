/* The arguments and variables of a handler: whether the kernel takes them, execve(2). Called by config_host alone. */
#pragma once

#include "master/config/host_private.h"

/* Report what is too long, or too much. */
void host_arguments_check(const struct host *host);

/* Warn of an argv0 for a script; `path` is what will be executed. 0 or -ENOMEM. */
int host_arguments_check_script(const struct host *host, const char *path);
