/* The processes below one, as the kernel shows them: what a request that takes long is doing.
 *
 * Owns nothing. The master uses it for workers. What must stay true: a pool's user decides how many processes there are
 * and what they are called, so that neither costs the caller much or spoils its log. */
#pragma once

#include <sys/types.h>

struct text;

/* At most so many processes are described, and so many levels of children looked at. */
#define PROCESS_TREE_MOST 12
#define PROCESS_TREE_DEPTH_MOST 8

/* Append what the processes below `pid` are doing, the eldest first and each before its children, or what `pid` itself
 * does if it has none: "sh 4711 (S, in do_wait, 5.0 s old, CPU 0.01 s), sleep 4712 (S, in hrtimer_nanosleep, …)". The
 * letter is that of ps(1); where it waits is left out if the kernel does not say it to us. 0; -ESRCH: there is no such
 * process, or no /proc; -ENOMEM. */
int process_tree_describe(pid_t pid, struct text *text);
