/* What a program's file gives to whoever executes it: the rights of its owner or group, or capabilities.
 *
 * Asked by the processes that check a configuration, and before something is loaded into a program: the loader leaves
 * LD_PRELOAD alone in one that gains rights (AT_SECURE), and no_new_privileges withholds them. Nothing is executed. */
#pragma once

#include "os/process/file_user.h"

/* As a clause, "it is setuid", or NULL: nothing that the user does not have, or nothing because its file system is
 * mounted nosuid, or nobody can tell. `fd` may be a mere handle (O_PATH). Of scripts the kernel ignores all this. */
const char *file_rights_of(int fd, const struct file_user *user);
