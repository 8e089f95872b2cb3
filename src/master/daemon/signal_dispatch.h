/* The signals that the master reads, and the action for each of them. */
#pragma once

#include <stddef.h>

struct daemon;

/* The signals; bin/ blocks them first of all. */
extern const int master_signals[];
extern const size_t master_signal_count;

/* Begin to read signals. 0 or -errno. */
int signal_dispatch_open(struct daemon *daemon);
