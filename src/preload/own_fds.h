/* The descriptors that the preload object has in a program: scoreboard, wake pipe, memory, door, the pipe for records
 * and the memory of the gate; in a template its socket. The program does not know them, so it may close all
 * descriptors, or want one of these numbers for its own. Called by preload/accounting. */
#pragma once

#include <stdbool.h>

#include "lib/attach.h"

/* The lowest number above all descriptors but these `count`, which are ours, and above stderr. Negative ones are none.
 */
int own_fds_above_program(int *const *own, size_t count);

/* Move a descriptor to the lowest free number from `first` on. 0 or -errno of fcntl(2). */
int own_fds_move(int *fd, int first);

bool own_fds_has(const struct attachment *attachment, int fd);

/* The lowest of them from `first` on; UINT32_MAX: none. */
unsigned own_fds_next(const struct attachment *attachment, unsigned first);

/* The program wants that number: if it is ours, ours moves. */
void own_fds_make_way(struct attachment *attachment, struct request_desk *desk, int fd);

/* A program that is executed next keeps them, or (`false`) does not. */
void own_fds_pass_on(const struct attachment *attachment, bool keep);
