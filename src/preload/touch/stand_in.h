/* The stand-in: a connected socket that is on 0 and 1 until there is a connection. Used by touch/ alone.
 *
 * It looks like the connection to who asks what it is, also to children, which are not watched. One byte waits in it: a
 * child that reads from it or writes to it changes what waits, and so is noticed. */
#pragma once

#include <stdbool.h>

/* 0, or -errno of socket(2), socketpair(2). A family that cannot be had gives way to AF_UNIX. */
int stand_in_begin(int family, bool stderr_too);

/* True if this number is the connection's: 0, 1, perhaps 2. */
bool stand_in_has(int fd);

/* The descriptor of its other end, which the program does not know; -1: it is its own. */
int stand_in_far(void);
void stand_in_make_way(int fd);

/* At the stop: close the other end. True: nobody has read from the stand-in, or written to it. */
bool stand_in_end(void);

/* True if this descriptor, whatever its number, is the stand-in. */
bool stand_in_is_at(int fd);

/* Put the connection in its place, on its numbers and on `others`, with their close-on-exec flags. */
void stand_in_put(int connection, const int *others, int count);
