/* The signals the master reads, and what each of them orders. */
#pragma once

#include <stddef.h>

struct daemon;

/* Those it reads; bin/ takes (blocks) them as its first act. */
extern const int master_signals[];
extern const size_t master_signal_count;

/* Begin to read them. 0 or -errno. */
int signal_dispatch_open(struct daemon *daemon);
