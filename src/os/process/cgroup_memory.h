/* How much memory a process may have, by its control group and those above it. Owns nothing. preforkctl calls it for
 * the daemon; the master does not, because it reads files. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* The least memory.max of the process's groups, of the unified hierarchy; 0: there is no limit, or none that can be
 * read. */
uint64_t cgroup_memory_limit(pid_t pid);
