/* A quick end for Python (fast_exit = python): most of the time of a short script is the interpreter's own tear-down,
 * in which it frees all objects. Instead, threads are joined, the functions of atexit run, and the standard streams are
 * flushed; then the process ends as it would have.
 *
 * Called in the object's constructor. Calls functions of the interpreter, and so only in a program that is one. */
#pragma once

/* Replace Py_FinalizeEx(), if this program has it. 0; -ENOENT: it has not; -ENOSYS: not on this machine; -errno of
 * open(2) or pwrite(2) of /proc/self/mem. */
int fast_exit_begin(void);
