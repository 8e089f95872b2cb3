/* The way back from an upgrade: what a program does that was executed to take over and cannot.
 *
 * The process is the master still, and the document and all descriptors are open, so nothing is lost yet. The program
 * is executed again, because what failed may have been a moment's shortage; then the previous program is, from a
 * descriptor that was kept, with the document that it has written itself. From there is no further way back. Owns
 * nothing. Used by bin/ and daemon/ in the program that was executed, and by upgrade.c in the one that executes it.
 * What must stay true: nothing has been taken over, and no descriptor of the document was closed or is
 * close-on-exec. */
#pragma once

#include "logic/protocol/take_over.h"

/* The option `--way-back` for an execution of another program. Writes the descriptor of the own program into *ret_fd
 * (O_CLOEXEC, owned by the caller), or -1 if there is none (no /proc). The caller frees *ret. 0 or -ENOMEM. */
int way_back_open(const char *own_path, char **ret, int *ret_fd);

/* Execute this program again, or the previous one. `argv` is that of this program, and `path` its path; NULL: argv[0],
 * which a title may have replaced. Returns if there is no way back, or it failed too: the process must end without
 * touching anything. */
void way_back_go(const struct take_over *take_over, const char *path, char *const *argv);
