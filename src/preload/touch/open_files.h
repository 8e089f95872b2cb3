/* What the program has open besides the connection. A copy by fork(2) shares each open file with all others: its
 * offset, and what it waits for. Used by touch/ alone.
 *
 * Files and directories are opened again for each copy, at the offset of the stop; epoll sets, and channels to the
 * program itself (touch/channels), are made again. Descriptors that belong together stay so. What cannot be had twice
 * (connections, timerfds) is refused, as are locks. 0, 1 and 2 were given by the daemon, and are no matter of this
 * module. */
#pragma once

#include "preload/touch/host.h"

/* Look at all descriptors, at the stop. TOUCH_FINE, or why there can be no copy. */
enum touch_refusal open_files_keep(void);

/* The descriptor that the last of these refusals is about; -1: none. */
int open_files_culprit(void);

/* The descriptors from 3 on that are the stand-in. */
const int *open_files_stand_ins(int *ret_count);

/* In a copy. False: a file cannot be opened any more. */
bool open_files_renew(void);
