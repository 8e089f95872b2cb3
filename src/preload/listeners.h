/* The pool's listeners in a program: the numbers that it was given, others that it has given them, and the epoll sets
 * that have one. Called by preload/accounting, in the program's own process alone, and by preload/listener_template.
 *
 * What must stay true: a number that the program has closed is forgotten, for it may be a connection the next time, and
 * the door (lib/door) would close it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/attach.h"

/* Begin with the listeners of the attachment. False: there are too many, or they are no sockets. */
bool listeners_begin(const struct attachment *attachment);

/* Which of those that the program was given that descriptor is, by what it is; -1: none. */
int listeners_index(int fd);

/* In a template, at its stop: keep in mind which descriptors are listeners, and put a socket that is none on each: no
 * listener stays open because a template has it. False: there are too many, or it cannot be done. */
bool listeners_leave(void);

/* In a worker that is a fork of it: put the worker's own on all of them. `fds` are as many as the program was given,
 * and stay open. False: one cannot be put. */
bool listeners_put(const int *fds);

/* How many it was given. */
size_t listeners_given(void);

/* All numbers of listeners; the array stays where it is. */
const int *listeners_numbers(void);
size_t listeners_count(void);

/* Is that descriptor a listener? A number that was not known is remembered. */
bool listeners_has(int fd);

/* Is that number known? Without a system call. */
bool listeners_lists(int fd);

/* An epoll set has a listener now; does it have one? */
void listeners_note_set(int epoll_fd);
bool listeners_in_set(int epoll_fd);

/* These descriptors are closed, or something else. */
void listeners_forget(unsigned first, unsigned last);
