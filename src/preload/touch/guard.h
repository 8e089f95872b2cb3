/* The host, and the descriptors that the program does not know: the object's own, and the stand-in's other end. Used by
 * touch/ alone, but for guard_begin(), which the host calls if nothing in touch/ does. */
#pragma once

#include "preload/touch/host.h"

void guard_begin(const struct touch_host *host);

bool guard_has(int fd);

/* As host.shares_temporary_files. */
bool guard_shares_temporary_files(void);

/* The lowest from `first` on; UINT32_MAX: none. */
unsigned guard_next(unsigned first);

/* The program wants that number: if it is ours, ours moves. */
void guard_make_way(int fd);

/* A program that is about to be executed keeps the object's. They are taken back with the next call: then it has
 * failed. */
void guard_pass_on(void);
void guard_take_back(void);
